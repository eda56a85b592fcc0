//! The byte stream under a connection: it gives hyper's own refusals a body, and it knows how long
//! the client has kept us waiting.
//!
//! hyper answers a head that it cannot read, or that is too large, by itself and without a body;
//! no layer above ever sees it. So it is recognised here, by its bytes. Everything the program
//! answers itself has a body when it is a refusal, and passes unchanged.

use crate::listener::Waiting;
use api::problem::{Code, raw};
use setup::clock;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream between hyper and the socket.
pub(crate) struct Wire<S> {
    stream: S,
    waiting: Arc<Waiting>,
    /// What is sent in place of a bare refusal, and how much of it has gone out.
    problem: Option<(Vec<u8>, usize)>,
}

impl<S> Wire<S> {
    /// A wire over `stream` that tells `waiting` what moves on it.
    pub(crate) fn new(stream: S, waiting: Arc<Waiting>) -> Self {
        Self {
            stream,
            waiting,
            problem: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.waiting.received();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.problem.is_none() {
            this.problem = bare_refusal(bytes).map(|problem| (problem, 0));
        }
        let Some((problem, sent)) = &mut this.problem else {
            return this
                .waiting
                .sending(Pin::new(&mut this.stream).poll_write(context, bytes));
        };
        while *sent < problem.len() {
            let rest = &problem[*sent..];
            let count = ready!(Pin::new(&mut this.stream).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += count;
        }
        // hyper believes that its own bytes went out; it closes the connection after them.
        this.problem = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare refusal is one slice, since it has no body; so several are never one.
        if let [slice] = slices {
            return self.poll_write(context, slice);
        }
        let this = self.get_mut();
        this.waiting
            .sending(Pin::new(&mut this.stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The problem to send in place of `bytes`, where these are a refusal of hyper's own.
fn bare_refusal(bytes: &[u8]) -> Option<Vec<u8>> {
    let status = bytes
        .strip_prefix(b"HTTP/1.1 4")
        .or_else(|| bytes.strip_prefix(b"HTTP/1.0 4"))?;
    let (code, detail) = match status.get(..2)? {
        b"00" => (
            Code::BadRequest,
            "The head is not HTTP/1.1: check the request line and headers.",
        ),
        b"14" => (
            Code::HeaderFieldsTooLarge,
            "The URL is too long: shorten it.",
        ),
        b"31" => (
            Code::HeaderFieldsTooLarge,
            "The head is too large: send fewer or shorter headers.",
        ),
        _ => return None,
    };
    is_bare(bytes).then(|| raw(code, detail, &clock::request_id()))
}

/// Whether these bytes are one whole head that says that no body follows.
fn is_bare(bytes: &[u8]) -> bool {
    const LENGTH: &[u8] = b"\r\ncontent-length: 0\r\n";
    bytes.ends_with(b"\r\n\r\n") && bytes.windows(LENGTH.len()).any(|window| window == LENGTH)
}

#[cfg(test)]
mod tests;
