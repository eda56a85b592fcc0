use super::*;

/// The example that implementations of Standard Webhooks check themselves against.
#[test]
fn a_signature_is_that_of_the_standard() {
    let signature = signature(
        "plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1_731_705_121,
        r#"{"event_type":"ping","data":{"success":true}}"#,
    );
    let expected = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";
    assert_eq!(signature.as_deref(), Some(expected));
    assert_eq!(super::signature("no base64!", "", 0, ""), None);
}

#[test]
fn a_name_that_stands_for_an_address_inside_is_not_connected_to() {
    let found = |texts: &[&str]| -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let inside = found(&["127.0.0.1:0", "[::1]:0", "10.0.0.7:0", "169.254.169.254:0"]);
    assert!(allowed(inside.iter().copied(), Reach::Public).is_err());
    let both = found(&["127.0.0.1:0", "1.1.1.1:0"]);
    let allowed_of = |found: &[SocketAddr], reach| -> Vec<SocketAddr> {
        allowed(found.iter().copied(), reach).unwrap().collect()
    };
    assert_eq!(allowed_of(&both, Reach::Public), found(&["1.1.1.1:0"]));
    assert_eq!(allowed_of(&inside, Reach::Any), inside);
}
