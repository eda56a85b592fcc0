use super::{Wire, bare_refusal};
use crate::listener::Waiting;
use std::io::IoSlice;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\
                    date: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\n";

#[test]
fn only_a_refusal_without_a_body_is_replaced() {
    let check = |bytes: &str, status: Option<&str>| {
        let problem = bare_refusal(bytes.as_bytes());
        let problem = problem
            .as_deref()
            .map(|bytes| str::from_utf8(bytes).unwrap());
        assert_eq!(problem.map(|text| &text[..12]), status, "{bytes}");
    };
    check(BARE, Some("HTTP/1.1 431"));
    check(&BARE.replace("431", "400"), Some("HTTP/1.1 400"));
    check(&BARE.replace("431", "414"), Some("HTTP/1.1 431"));
    check(&BARE.replace("HTTP/1.1", "HTTP/1.0"), Some("HTTP/1.1 431"));
    check(&BARE.replace("431", "404"), None);
    check(&BARE.replace("431", "200"), None);
    check(
        &BARE
            .replace("length: 0", "length: 2")
            .replace("\r\n\r\n", "\r\n\r\n{}"),
        None,
    );
    check(&BARE.replace("\r\n\r\n", "\r\n"), None);
    check("HTTP/1.1 4", None);
    check("", None);
}

#[tokio::test]
async fn a_bare_refusal_arrives_as_a_problem_however_little_the_socket_takes() {
    let (near, mut far) = duplex(7);
    let mut wire = Wire::new(near, Arc::new(Waiting::new()));
    let sent = async {
        wire.write_all(BARE.as_bytes()).await.unwrap();
        wire.shutdown().await.unwrap();
    };
    let mut received = String::new();
    tokio::join!(sent, async {
        far.read_to_string(&mut received).await.unwrap()
    });
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["code"], "header_fields_too_large");
}

#[tokio::test]
async fn everything_else_passes_unchanged() {
    let (near, mut far) = duplex(1024);
    let mut wire = Wire::new(near, Arc::new(Waiting::new()));
    let head = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n";
    let count = wire
        .write_vectored(&[IoSlice::new(head), IoSlice::new(b"{}")])
        .await
        .unwrap();
    wire.write_all(b"tail").await.unwrap();
    drop(wire);
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), count + 4);
    assert!(received.starts_with(b"HTTP/1.1 404") && received.ends_with(b"tail"));
}
