use super::*;

fn line(fields: &[(&'static str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Fields(fields.collect()).line(Timestamp::EPOCH, Level::INFO, false)
}

#[test]
fn an_answer_is_one_short_line_that_carries_an_id() {
    let answer = [
        ("message", "Answered 201"),
        ("request_id", "r"),
        ("method", "POST"),
        ("route", "/v1/orders"),
        ("status", "201"),
        ("duration_us", "412"),
    ];
    assert_eq!(
        line(&answer),
        "00:00:00Z INFO  POST /v1/orders 201 0.4 ms  request r\n"
    );
    assert_eq!(
        line(&[&answer[..], &[("order_id", "o")]].concat()),
        "00:00:00Z INFO  POST /v1/orders 201 0.4 ms  order o\n"
    );
}

#[test]
fn what_the_message_says_is_not_said_again() {
    assert_eq!(
        line(&[("message", "Placed order o-1"), ("order_id", "o-1")]),
        "00:00:00Z INFO  Placed order o-1\n"
    );
}
