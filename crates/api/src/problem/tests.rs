use super::{Code, Outages, instance, raw};
use domain::Timestamp;

#[test]
fn a_code_stands_in_its_own_row() {
    for code in Code::ALL {
        let mut word = String::new();
        for letter in format!("{code:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.push(letter.to_ascii_lowercase());
        }
        assert_eq!(code.as_str(), word);
        assert_eq!(Code::parse(&word), Some(code));
        assert_eq!(Code::parse(&word.replace('_', "-")), Some(code));
        assert!((400..600).contains(&code.row().status));
    }
    assert_eq!(Code::parse("not"), None);
}

#[test]
fn a_raw_answer_is_whole_http() {
    let answer = String::from_utf8(raw(Code::Overloaded, "Too many.", "abc")).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{head}"
    );
    for line in [
        "retry-after: 1",
        "connection: close",
        "request-id: abc",
        "content-type: application/problem+json",
        &format!("content-length: {}", body.len()),
    ] {
        assert_eq!(head.lines().filter(|it| *it == line).count(), 1, "{line}");
    }
    assert!(body.contains(r#""code":"overloaded""#) && body.contains("Too many."));

    let answer = String::from_utf8(raw(Code::BadRequest, "?", "abc")).unwrap();
    assert_eq!(answer.matches("connection: close").count(), 1);
}

#[test]
fn an_outage_is_news_once_a_second() {
    let outages = Outages::default();
    let at = |millis| outages.is_news(Timestamp::from_millis(millis));
    assert!(at(10_000));
    assert!(!at(10_999));
    assert!(at(11_000));
    assert!(at(5_000), "a clock that was set back silences nothing");
}

#[test]
fn an_instance_is_a_uri() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(instance(id), format!("urn:uuid:{id}"));
    assert_eq!(instance("abc-1"), "#abc-1");
}
