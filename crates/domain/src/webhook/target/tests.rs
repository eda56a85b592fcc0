use super::*;

#[test]
fn public_endpoints_are_taken() {
    for text in [
        "https://example.org/hook",
        "https://example.org:8443/a?b=c",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/hook",
        "https://xn--bcher-kva.example/",
    ] {
        let url = parse(text, Reach::Public);
        assert!(url.is_ok(), "{text}: {url:?}");
    }
}

#[test]
fn whatever_leads_inside_is_refused_in_every_spelling() {
    for text in [
        "",
        "example.org",
        "/hook",
        "http://example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@example.org/",
        "https://user:word@example.org/",
        "https://example.org:22/",
        "https://example.org:6379/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://metadata/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://router.lan/",
        "https://nas.home.arpa/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://0.0.0.0/",
        "https://0/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://192.0.0.1/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://203.0.113.7/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[::127.0.0.1]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001::1]/",
        "https://[2001:db8::1]/",
        "https://[100::1]/",
        "https://①②⑦.0.0.1/",
    ] {
        assert!(parse(text, Reach::Public).is_err(), "{text}");
    }
    let long = format!("https://example.org/{}", "a".repeat(URL_MAX));
    assert!(parse(&long, Reach::Public).is_err());
}

#[test]
fn whoever_knows_his_network_goes_anywhere_over_http() {
    for text in ["http://127.0.0.1:9000/hook", "https://localhost/"] {
        assert!(parse(text, Reach::Any).is_ok(), "{text}");
    }
    for text in ["file:///etc/passwd", "http://user@localhost/"] {
        assert!(parse(text, Reach::Any).is_err(), "{text}");
    }
}
