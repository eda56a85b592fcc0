use super::*;
use tokio::net::TcpListener;

/// What `exchange` makes of an answer that arrives in these pieces.
async fn answered(pieces: Vec<Vec<u8>>) -> Result<(u16, Vec<u8>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = async {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 64];
        assert_eq!(stream.read(&mut request).await?, 3);
        for piece in pieces {
            stream.write_all(&piece).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let client = async {
        let mut wire = Wire::new(connect(&address).await?);
        let Answer { status, body } = wire.exchange(b"GET").await?;
        Ok((status, body.to_vec()))
    };
    let (answer, outcome): (_, Result<()>) = tokio::join!(client, server);
    outcome.and(answer)
}

fn pieces(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[tokio::test]
async fn an_answer_is_read_whole_in_whatever_pieces_it_comes() {
    for texts in [
        &["HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"][..],
        &[
            "HTTP/1.1 201 Cre",
            "ated\r\nConTent-Length: 2\r\n\r",
            "\n{",
            "}",
        ],
    ] {
        assert_eq!(
            answered(pieces(texts)).await.unwrap(),
            (201, b"{}".to_vec())
        );
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_buffer_is_read_whole() {
    let body = vec![b'x'; 100_000];
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(&body);
    assert_eq!(answered(vec![answer]).await.unwrap(), (200, body));
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_names_no_length_is_an_error() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
        "HTTP/1.1 200 OK\r\n\r\n",
        "SSH-2.0\r\n",
    ] {
        assert!(answered(pieces(&[text])).await.is_err(), "{text}");
    }
}
