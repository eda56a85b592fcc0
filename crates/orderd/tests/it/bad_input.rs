//! Whatever is sent, the answer is a problem that says why, and nothing is written.

use crate::service::{ORDER, RECEIPT, Service};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Version};
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

const KEY: [(&str, &str); 1] = [("idempotency-key", "k")];

fn with_quantity(text: &str) -> String {
    ORDER.replace("\"quantity\":2", &format!("\"quantity\":{text}"))
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let service = Service::new().await;
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    let cases: [&[u8]; 12] = [
        b"",
        b"{",
        b"{} {}",
        b"hello",
        b"{\"a\":1,}",
        b"\xef\xbb\xbf{}",
        b"{\"customer_id\":\"caf\xe9\"}",
        br#"{"customer_id":"\ud800","lines":[]}"#,
        br#"{"customer_id":"a","customer_id":"b"}"#,
        br#"{"customer_id":"a","lines":[{"quantity":1,"quantity":2}]}"#,
        deep.as_bytes(),
        br#"{"customer_id":"c","lines":[{"item_id":"i","quantity":NaN}]}"#,
    ];
    for path in ["/v1/orders", "/orders", "/v1/orders/batch"] {
        for body in cases {
            let answer = service.send("POST", path, &KEY, body.to_vec()).await;
            answer.assert_problem(400, "invalid_json");
            assert!(
                answer.field("detail").contains("line 1 column"),
                "{}",
                answer.body
            );
        }
    }
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn json_that_is_no_object_is_refused() {
    let service = Service::new().await;
    for path in ["/v1/orders", "/orders", "/v1/orders/batch"] {
        for body in ["[]", "null", "5", "\"x\"", "true"] {
            let answer = service.send("POST", path, &KEY, body).await;
            answer.assert_problem(400, "invalid_body");
        }
    }
}

#[tokio::test]
async fn a_quantity_is_an_integer_from_1_to_a_million() {
    let service = Service::new().await;
    for number in [
        "0",
        "-1",
        "1.5",
        "1000001",
        "9223372036854775808",
        "1e400",
        "1e99999999999999999999",
        "\"2\"",
        "true",
        "null",
        "[]",
        "{}",
    ] {
        let answer = service.place("k", &with_quantity(number)).await;
        answer.assert_problem(422, "validation_failed");
        assert_eq!(
            answer.json()["errors"][0]["pointer"],
            "/lines/0/quantity",
            "{number}"
        );
        let body = RECEIPT.replace("\"quantity\":1", &format!("\"quantity\":{number}"));
        let answer = service.send("POST", "/orders", &KEY, body).await;
        answer.assert_problem(422, "validation_failed");
    }
    assert_eq!(service.orders().await, 0);
}

const LINE: &str = r#"{"item_id":"i","quantity":1}"#;

/// Asserts that an order of these fields has one fault, and where.
async fn assert_wrong(service: &Service, fields: &str, pointer: &str) {
    let answer = service.place("k", &format!("{{{fields}}}")).await;
    answer.assert_problem(422, "validation_failed");
    let problem = answer.json();
    assert_eq!(problem["errors"][0]["pointer"], pointer, "{}", answer.body);
    assert_eq!(
        problem["errors"].as_array().unwrap().len(),
        1,
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_customer_is_named_in_visible_text_of_bounded_length() {
    let service = Service::new().await;
    let long = format!("\"{}\"", "x".repeat(129));
    let wrong = [
        r#""""#,
        r#"" ""#,
        r#""a\u0000b""#,
        r#""a\u001bb""#,
        &long,
        "7",
        "null",
        "[\"c\"]",
    ];
    for id in wrong {
        let fields = format!(r#""customer_id":{id},"lines":[{LINE}]"#);
        assert_wrong(&service, &fields, "/customer_id").await;
    }
    assert_wrong(&service, &format!(r#""lines":[{LINE}]"#), "/customer_id").await;
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn an_order_has_1_to_40_lines_that_say_what_they_are_about() {
    let service = Service::new().await;
    let many = format!("[{}]", [LINE; 41].join(","));
    for (lines, pointer) in [
        ("null", "/lines"),
        ("[]", "/lines"),
        ("{}", "/lines"),
        (&*many, "/lines"),
        ("[1]", "/lines/0"),
        (r#"[{"quantity":1}]"#, "/lines/0/item_id"),
        (r#"[{"item_id":"i"}]"#, "/lines/0/quantity"),
        (
            r#"[{"item_id":"i","quantity":1,"price":1}]"#,
            "/lines/0/price",
        ),
    ] {
        let fields = format!(r#""customer_id":"c","lines":{lines}"#);
        assert_wrong(&service, &fields, pointer).await;
    }
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn a_wrong_or_unknown_field_is_refused_where_it_stands() {
    let service = Service::new().await;
    let notes = format!(r#""metadata":{{"a":"{}"}}"#, "x".repeat(9_000));
    for (field, pointer) in [
        (r#""currency":"usd""#, "/currency"),
        (r#""fulfil":1"#, "/fulfil"),
        (r#""expected_total_minor":0.5"#, "/expected_total_minor"),
        (r#""expected_total_minor":-1"#, "/expected_total_minor"),
        (r#""metadata":[]"#, "/metadata"),
        (r#""metadata":{"a":["\u0000"]}"#, "/metadata"),
        (&*notes, "/metadata"),
        (r#""status":"paid""#, "/status"),
        (r#""order_id":"1""#, "/order_id"),
        (r#""a/b~c":1"#, "/a~1b~0c"),
    ] {
        let fields = format!(r#""customer_id":"c","lines":[{LINE}],{field}"#);
        assert_wrong(&service, &fields, pointer).await;
    }
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once() {
    let service = Service::new().await;
    let body = r#"{"lines":[{"quantity":0},{"item_id":"i"},7],"fulfil":"yes","x":1}"#;
    let answer = service.place("k", body).await;
    answer.assert_problem(422, "validation_failed");
    let problem = answer.json();
    let mut pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/customer_id",
            "/fulfil",
            "/lines/0/item_id",
            "/lines/0/quantity",
            "/lines/1/quantity",
            "/lines/2",
            "/x"
        ]
    );
}

#[tokio::test]
async fn a_flood_of_faults_is_cut_short() {
    let service = Service::new().await;
    let fields: Vec<String> = (0..5_000)
        .map(|number| format!("\"f{number}\":1"))
        .collect();
    let answer = service
        .place("k", &format!("{{{}}}", fields.join(",")))
        .await;
    answer.assert_problem(422, "validation_failed");
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_key_is_1_to_255_printable_characters_and_stands_once() {
    let service = Service::new().await;
    for key in ["", " ", "\"\"", &"k".repeat(256), "a\tb"] {
        service
            .place(key, ORDER)
            .await
            .assert_problem(400, "idempotency_key_invalid");
        let answer = service
            .send("POST", "/orders", &[("idempotency-key", key)], RECEIPT)
            .await;
        answer.assert_problem(400, "idempotency_key_invalid");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
    let answer = service.send("POST", "/v1/orders", &twice, ORDER).await;
    answer.assert_problem(400, "idempotency_key_invalid");
    let answer = service.send("POST", "/v1/orders", &[], ORDER).await;
    answer.assert_problem(400, "idempotency_key_missing");
    assert_eq!(service.orders().await, 0);
    assert_eq!(service.place(&"k".repeat(255), ORDER).await.status, 201);
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let service = Service::new().await;
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
        "application/json; charset=latin1",
        "application/jsonx",
    ] {
        let headers = [KEY[0], ("content-type", kind)];
        let answer = service.send("POST", "/v1/orders", &headers, ORDER).await;
        answer.assert_problem(415, "unsupported_media_type");
    }
    assert_eq!(service.orders().await, 0);
    for kind in [
        "application/json",
        "Application/JSON; Charset=\"UTF-8\"",
        "application/json;charset=utf-8",
        "application/vnd.shop+json",
    ] {
        let headers = [KEY[0], ("content-type", kind)];
        assert_eq!(
            service
                .send("POST", "/v1/orders", &headers, ORDER)
                .await
                .status,
            201
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_connection_closed() {
    let service = Service::new().await;
    for (declared, size) in [
        (true, 65_537),
        (false, 65_537),
        (true, 10 << 20),
        (false, 10 << 20),
    ] {
        let body = " ".repeat(size);
        let declared = declared.then(|| ("content-length", size.to_string()));
        let mut headers = KEY.to_vec();
        headers.extend(declared.iter().map(|(name, value)| (*name, &**value)));
        let answer = service.send("POST", "/v1/orders", &headers, body).await;
        answer.assert_problem(413, "payload_too_large");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let padded = format!("{ORDER}{}", " ".repeat(65_536 - ORDER.len()));
    assert_eq!(service.place("k", &padded).await.status, 201);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let service = Service::with(|settings| settings.body_timeout_ms = 0).await;
    let never = Body::new(Never);
    let answer = service.send("POST", "/v1/orders", &KEY, never).await;
    answer.assert_problem(408, "request_timeout");
    assert_eq!(answer.header("connection"), Some("close"));
}

/// A body of which nothing comes.
struct Never;

impl HttpBody for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let service = Service::new().await;
    let long = "x".repeat(17 * 1024);
    let answer = service
        .send("GET", "/livez", &[("x-long", &long)], "")
        .await;
    answer.assert_problem(431, "header_fields_too_large");
    let names: Vec<String> = (0..100).map(|number| format!("x-{number}")).collect();
    let headers: Vec<_> = names.iter().map(|name| (&**name, "1")).collect();
    let answer = service.send("GET", "/livez", &headers, "").await;
    answer.assert_problem(431, "header_fields_too_large");
}

#[tokio::test]
async fn a_request_that_two_servers_could_read_differently_is_refused() {
    let service = Service::new().await;
    let request = Request::get("/livez")
        .version(Version::HTTP_11)
        .body(Body::empty())
        .unwrap();
    let answer = service.send_as_is(request).await;
    answer.assert_problem(400, "bad_request");
    assert_eq!(answer.header("connection"), Some("close"));

    let both = [
        KEY[0],
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
    ];
    let answer = service.send("POST", "/v1/orders", &both, ORDER).await;
    answer.assert_problem(400, "bad_request");
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn text_that_looks_like_sql_is_only_text() {
    let service = Service::new().await;
    let body = ORDER.replace("cust1", "'); drop table orders;--");
    let order = service.place("'; delete from ledger;--", &body).await;
    assert_eq!(order.status, 201);
    assert_eq!(order.field("customer_id"), "'); drop table orders;--");
    assert_eq!(service.orders().await, 1);
}
