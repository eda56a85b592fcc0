use super::*;

#[test]
fn a_status_says_whether_it_will_ever_take_effect() {
    use CallKind::{Authorise, Capture, Look, Reserve, Void};
    let declined = |words: &str| Answer::Refused(Refused::Declined, words.into());
    let failed = |words: &str, after| Answer::Failed(words.into(), after);
    for (kind, status, after, body, expected) in [
        (Authorise, 201, None, "", Answer::Done),
        (
            Authorise,
            402,
            None,
            r#"{"code":"declined"}"#,
            declined("402: declined"),
        ),
        (Authorise, 400, None, "nonsense", declined("400")),
        (Capture, 503, None, "", failed("503", None)),
        (Capture, 429, Some(7), "", failed("429", Some(7_000))),
        (Capture, 408, None, "", failed("408", None)),
        (Capture, 302, None, "", failed("302", None)),
        (Look, 404, None, "", Answer::NotCaptured),
        (Look, 200, None, "", Answer::Done),
        (Void, 409, None, r#"{"code":"captured"}"#, Answer::Captured),
        (
            Void,
            409,
            None,
            r#"{"code":"other"}"#,
            declined("409: other"),
        ),
        (
            Reserve,
            409,
            None,
            "{}",
            Answer::Refused(Refused::OutOfStock, "409".into()),
        ),
    ] {
        let answer = answer_of(kind, status, after, body.as_bytes());
        assert_eq!(answer, expected, "{kind} {status} {body}");
    }
}

#[test]
fn a_url_is_refused_where_it_is_none_and_a_path_is_kept() {
    assert!(Http::new("ftp://example.org").is_err());
    assert!(Http::new("payments").is_err());
    let http = Http::new("http://example.org/pay/").unwrap();
    assert_eq!(
        http.url(&["capture", "a:b"]).as_str(),
        "http://example.org/pay/capture/a:b"
    );
}
