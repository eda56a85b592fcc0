use super::refuse_name;
use axum::http::HeaderValue;

#[test]
fn only_names_of_this_machine_and_those_that_were_named_are_ours() {
    let names = ["orders.example.org".to_owned()];
    let is_ours = |host: &str| refuse_name(&names, &HeaderValue::from_str(host).unwrap()).is_ok();
    for host in [
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.8.7.6:80",
        "localhost",
        "LocalHost:3000",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:8080",
        "orders.example.org",
        "Orders.Example.org:8443",
    ] {
        assert!(is_ours(host), "{host}");
    }
    for host in [
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "orders.example.org.evil.example",
        "0.0.0.0:8080",
        "192.168.0.7:8080",
        "[::]:8080",
        "[2001:db8::1]",
        "2130706433",
    ] {
        assert!(!is_ours(host), "{host}");
    }
}
