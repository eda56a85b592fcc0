//! One keep-alive connection of the load. It shares a machine with what it measures, so it reads
//! no more of an answer than it must, and allocates nothing from one request to the next.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BUFFER: usize = 4 * 1024;
/// The largest answer that is read.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
const HEADERS_MAX: usize = 48;

/// A connection, and the buffer that its answers are read into.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, in the buffer of its connection.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

/// Where an answer ends in the buffer, known once its head is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

/// Opens a connection.
pub(super) async fn connect(address: &str) -> Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_elapsed| Error::from(ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Wire {
    /// Uses an open connection.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER],
        }
    }

    /// Sends a request and reads the answer to it.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;

        let mut filled = 0;
        let mut head = None;
        loop {
            if filled == self.buffer.len() {
                self.grow()?;
            }
            match self.stream.read(&mut self.buffer[filled..]).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                bytes => filled += bytes,
            }
            if head.is_none() {
                head = parse(&self.buffer[..filled])?;
            }
            if let Some(Head {
                status,
                bytes,
                body_bytes,
            }) = head
                && filled >= bytes + body_bytes
            {
                return Ok(Answer {
                    status,
                    body: &self.buffer[bytes..bytes + body_bytes],
                });
            }
        }
    }

    fn grow(&mut self) -> Result<()> {
        if self.buffer.len() >= ANSWER_MAX {
            return Err(Error::other("an answer of more than 16 MiB"));
        }
        self.buffer.resize(self.buffer.len() * 2, 0);
        Ok(())
    }
}

/// Reads the head of an answer, or `None` where it is not all there yet.
fn parse(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes).map_err(Error::other)? else {
        return Ok(None);
    };
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body_bytes = length
        .and_then(|header| str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| Error::other("an answer without Content-Length"))?;
    let status = answer.code.expect("a complete head has a status");
    Ok(Some(Head {
        status,
        bytes: head,
        body_bytes,
    }))
}

#[cfg(test)]
mod tests;
