use super::Proxies;
use axum::http::{HeaderMap, HeaderName};

/// What a list of each header makes of a request that came over a connection from `peer`.
fn check(peer: &str, lists: &[&str], client: &str) {
    let networks = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];
    let header = HeaderName::from_static("x-forwarded-for");
    let proxies = Proxies {
        networks: networks.map(|it| it.parse().unwrap()).to_vec(),
        header: header.clone(),
    };
    let mut headers = HeaderMap::new();
    for list in lists {
        headers.append(&header, list.parse().unwrap());
    }
    let found = proxies.client(peer.parse().unwrap(), &headers);
    assert_eq!(found.to_string(), client, "{peer} {lists:?}");
}

#[test]
fn a_proxy_is_believed_as_far_as_it_is_trusted() {
    check("203.0.113.9", &[], "203.0.113.9");
    check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
    check("10.1.2.3", &[], "10.1.2.3");
    check("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
    check("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1");
    check("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1");
    check("fd00::1", &["2001:db8::7"], "2001:db8::7");
    check("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7");
    // One proxy behind another, in one list or in two.
    check("127.0.0.1", &["198.51.100.1, 10.1.2.3"], "198.51.100.1");
    check("127.0.0.1", &["198.51.100.1", "10.1.2.3"], "198.51.100.1");
    // What the client made up comes first, and is not read.
    check("10.1.2.3", &["192.0.2.66, 198.51.100.1"], "198.51.100.1");
    check("10.1.2.3", &["10.9.9.9, 198.51.100.1"], "198.51.100.1");
    check("10.1.2.3", &["10.9.9.9", "198.51.100.1"], "198.51.100.1");
    // What is no address ends it at whoever said so.
    check("10.1.2.3", &["unknown"], "10.1.2.3");
    check("10.1.2.3", &["198.51.100.1, , 10.7.7.7"], "10.7.7.7");
}
