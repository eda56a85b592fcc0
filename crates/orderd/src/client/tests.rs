use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What `send` makes of an answer that arrives in these pieces.
async fn answered(pieces: &'static [&'static str]) -> anyhow::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = url_of(listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let asked = Server::open(base.clone());
    tokio::join!(send(&asked, "POST", "/x", &[("x-a", "b")], b"{}"), server).0
}

#[tokio::test]
async fn a_body_is_read_by_its_length_by_chunks_or_to_the_end_and_in_any_pieces() {
    for pieces in [
        &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"][..],
        &[
            "HTTP/1.1 200 OK\r\nContent-",
            "Length: 5\r\n\r",
            "\nhe",
            "llo",
        ],
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
        &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r",
            "\nhe\r\n3\r\nl",
            "lo\r\n0\r\n\r\n",
        ],
        &["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel", "lo"],
    ] {
        let answer = answered(pieces).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"hello"[..]),
            "{pieces:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let error = answered(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"])
        .await
        .unwrap_err();
    assert!(is_unreachable(&error), "{error}");
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_how_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = url_of(listener.local_addr().unwrap());
    drop(listener);
    let error = send(&Server::open(base.clone()), "GET", "/", &[], b"")
        .await
        .unwrap_err();
    assert!(is_unreachable(&error));
    assert!(error.to_string().contains("Fix: is it running?"), "{error}");
}

#[test]
fn a_url_is_taken_apart() {
    for (url, address, prefix) in [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", ""),
        ("http://shop.example/", "shop.example:80", ""),
        ("http://[::1]:8080/a/b/", "[::1]:8080", "/a/b"),
        ("http://[::1]", "[::1]:80", ""),
    ] {
        let base = Base {
            address: address.into(),
            prefix: prefix.into(),
        };
        assert_eq!(Base::parse(url).unwrap(), base, "{url}");
    }
    for url in [
        "https://x",
        "ftp://x",
        "http://",
        "http:///a",
        "http://x:99999",
        "http://u@x",
        "http://x /",
    ] {
        assert!(Base::parse(url).is_err(), "{url}");
    }
}

#[test]
fn a_server_that_listens_everywhere_is_asked_on_loopback() {
    assert_eq!(url_of("0.0.0.0:81".parse().unwrap()), "http://127.0.0.1:81");
    assert_eq!(url_of("[::]:81".parse().unwrap()), "http://[::1]:81");
    assert_eq!(url_of("10.0.0.1:81".parse().unwrap()), "http://10.0.0.1:81");
}

#[test]
fn a_problem_is_told_with_each_of_its_faults() {
    let body = r#"{"title":"Not valid","detail":"The body has 1 fault.","code":"validation_failed",
        "request_id":"abc","errors":[{"pointer":"/lines/0","detail":"is missing"}]}"#;
    let answer = Answer {
        status: 422,
        headers: Vec::new(),
        body: body.into(),
    };
    assert_eq!(
        answer.json().unwrap_err().to_string(),
        "Not valid (422, validation_failed)\nWhy: The body has 1 fault.\n  /lines/0  is missing\nRequest: abc"
    );
    let answer = Answer {
        status: 502,
        headers: Vec::new(),
        body: b"<html>".into(),
    };
    assert_eq!(
        answer.json().unwrap_err().to_string(),
        "The server refused (502)"
    );
}
