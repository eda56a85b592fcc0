//! A line between a client and a server that does to each request what a script says. It keeps what it
//! was sent, so that retries can be compared.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server commits it, and says 500.
    FailsAfterCommit,
    /// The server does it, and the line is cut before its answer.
    Cut,
    /// Nobody answers.
    Hangs,
    /// It is not done, and may come again after [`BUSY`].
    Busy,
    /// What is in between answers with a page of its own, which is no problem document.
    BadGateway,
    /// The same, in JSON.
    JsonGateway,
    /// The same, in JSON that is no object.
    NullGateway,
    /// The server does it, and the line is cut within its answer: after the head and half the body.
    Torn,
    /// The same, within the first line of the answer.
    TornHead,
    /// The line is cut within the body of a refusal.
    TornBusy,
    /// All is well.
    Passes,
    /// The answer is a stream, and is cut after so many of its empty lines.
    CutAfter(usize),
}

/// What `Retry-After` says of a busy server.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) fate: Fate,
    head: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Sent {
    /// What a header says.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.iter().filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }
}

/// The line; it serves for as long as the process lives.
pub(super) struct Line {
    pub(super) url: String,
    seen: Arc<Seen>,
}

/// What is known of what went over it.
#[derive(Default)]
struct Seen {
    sent: Mutex<Vec<Sent>>,
    /// Whether a stream has begun.
    streams: AtomicBool,
}

impl Line {
    /// A line to a port of this machine. The last fate of the script is that of all further requests.
    ///
    /// # Errors
    /// Where there is no port for it.
    pub(super) fn to(port: u16, script: &'static [Fate]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Seen::default());
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A client that goes away is what this is for.
                thread::spawn(move || drop(serve(&client, port, script, &kept)));
            }
        });
        Ok(Self { url, seen })
    }

    /// Whether a stream has begun.
    pub(super) fn streams(&self) -> bool {
        self.seen.streams.load(Ordering::Relaxed)
    }

    /// What it was sent until now.
    pub(super) fn sent(&self) -> Vec<Sent> {
        let sent = self.seen.sent.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut client: &TcpStream, port: u16, script: &[Fate], seen: &Seen) -> Result<()> {
    let request = read(client)?;
    let (fate, sent) = {
        let mut kept = seen.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = script.last().context("a script has an end")?;
        let fate = *script.get(kept.len()).unwrap_or(last);
        let sent = Sent { fate, ..request };
        kept.push(sent.clone());
        (fate, sent)
    };
    match fate {
        Fate::Hangs => drop(client.read(&mut [0; 64])),
        Fate::Busy => answer(client, UNAVAILABLE, BUSY_HEAD, BUSY_BODY)?,
        Fate::TornBusy => {
            let mut torn = Vec::new();
            answer(&mut torn, UNAVAILABLE, BUSY_HEAD, BUSY_BODY)?;
            client.write_all(&torn[..half_of_body(&torn)?])?;
        }
        Fate::BadGateway => {
            let html = "Content-Type: text/html\r\n";
            answer(client, "502 Bad Gateway", html, "<h1>502</h1>")?;
        }
        Fate::JsonGateway => {
            let body = r#"{"message":"Service Unavailable"}"#;
            answer(client, UNAVAILABLE, JSON_HEAD, body)?;
        }
        Fate::NullGateway => answer(client, UNAVAILABLE, JSON_HEAD, "null")?,
        Fate::Cut => drop(forward(&sent, port, "")?.read_to_end(&mut Vec::new())),
        Fate::Torn | Fate::TornHead => {
            let mut whole = Vec::new();
            forward(&sent, port, "")?.read_to_end(&mut whole)?;
            let end = match fate {
                Fate::Torn => half_of_body(&whole)?,
                _ => "HTTP/1.1 2".len(),
            };
            client.write_all(&whole[..end])?;
        }
        Fate::FailsAfterCommit => {
            let mut server = forward(&sent, port, "X-Debug-Fail-After-Commit: true\r\n")?;
            std::io::copy(&mut server, &mut client)?;
        }
        Fate::Passes => {
            std::io::copy(&mut forward(&sent, port, "")?, &mut client)?;
        }
        Fate::CutAfter(count) => cut_after(count, forward(&sent, port, "")?, client, seen)?,
    }
    Ok(client.shutdown(Shutdown::Both)?)
}

/// Where an answer is torn.
fn half_of_body(answer: &[u8]) -> Result<usize> {
    let head = answer.windows(4).position(|it| it == b"\r\n\r\n");
    let head = head.context("an answer has a head")? + 4;
    Ok(head.midpoint(answer.len()))
}

const UNAVAILABLE: &str = "503 Service Unavailable";
const JSON_HEAD: &str = "Content-Type: application/json\r\n";
const BUSY_HEAD: &str = "Content-Type: application/problem+json\r\nRetry-After: 1\r\n";
const BUSY_BODY: &str = r#"{"code":"unavailable","status":503,"retryable":true,"detail":"busy"}"#;

fn answer(mut client: impl Write, status: &str, head: &str, body: &str) -> Result<()> {
    let length = body.len();
    let connection = "Connection: close";
    write!(
        client,
        "HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n{connection}\r\n\r\n{body}"
    )?;
    Ok(())
}

/// Copies a stream up to an empty line; its head ends with the first.
fn cut_after(
    mut count: usize,
    server: TcpStream,
    mut client: &TcpStream,
    seen: &Seen,
) -> Result<()> {
    for line in BufReader::new(server).split(b'\n') {
        let mut line = line?;
        let is_empty = line.is_empty();
        line.push(b'\n');
        client.write_all(&line)?;
        if is_empty {
            seen.streams.store(true, Ordering::Relaxed);
            count -= 1;
            if count == 0 {
                // So that what was sent is read: a client forgets what it has not when the line is cut.
                thread::sleep(Duration::from_secs(1));
                break;
            }
        }
    }
    Ok(())
}

fn read(client: &TcpStream) -> Result<Sent> {
    let mut reader = BufReader::new(client);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "nothing was asked");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        head.push(line.to_owned());
    }
    let mut request = Sent {
        at: Instant::now(),
        fate: Fate::Passes,
        head,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map_or(Ok(0), str::parse::<usize>)?;
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body)?;
    Ok(request)
}

/// Sends a request on, with more headers; gives the line on which its answer comes.
fn forward(sent: &Sent, port: u16, more: &str) -> Result<TcpStream> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    // The server knows no token: that one is brought is looked at here.
    let own = ["connection", "keep-alive", "authorization"];
    let is_own = |line: &&String| {
        let name = line.split(':').next().unwrap_or_default();
        !own.iter().any(|it| name.eq_ignore_ascii_case(it))
    };
    for line in sent.head.iter().filter(is_own) {
        write!(server, "{line}\r\n")?;
    }
    write!(server, "{more}Connection: close\r\n\r\n")?;
    server.write_all(&sent.body)?;
    Ok(server)
}
