//! A proxy in front of the emulator of AWS, which does what that never does: it has no time, sees a
//! conflict, loses an answer, is away.

use crate::backend;
use crate::load::Random;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused for want of capacity.
    Throttled,
    /// Another has an item of it.
    Conflict,
    /// It never arrives.
    Cut,
    /// It is done, and the answer does not arrive.
    AnswerCut,
    /// It is done, and the answer says that something went wrong.
    DoneAndFailed,
    /// It is done, and somebody between says that he got no answer.
    DoneAndGarbled,
}

impl Fault {
    const ALL: [Self; 6] = [
        Self::Throttled,
        Self::Conflict,
        Self::Cut,
        Self::AnswerCut,
        Self::DoneAndFailed,
        Self::DoneAndGarbled,
    ];
}

/// What goes wrong.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The faults of the transactions to come, in this order.
    planned: Mutex<VecDeque<Fault>>,
    /// Of a thousand transactions without a plan, how many meet a fault.
    chance: AtomicU64,
    drawn: AtomicU64,
    topics_away: AtomicBool,
}

impl Faults {
    pub(crate) fn plan(&self, faults: &[Fault]) {
        self.0.planned.lock().unwrap().extend(faults);
    }

    pub(crate) fn are_over(&self) -> bool {
        self.0.planned.lock().unwrap().is_empty()
    }

    /// Of a thousand transactions, `chance` meet a fault from now on.
    pub(crate) fn by_chance(&self, chance: u64) {
        self.0.chance.store(chance, Ordering::SeqCst);
    }

    /// Whether nobody answers for topics from now on.
    pub(crate) fn topics_away(&self, away: bool) {
        self.0.topics_away.store(away, Ordering::SeqCst);
    }

    /// The fault of a transaction.
    fn draw(&self) -> Option<Fault> {
        if let Some(planned) = self.0.planned.lock().unwrap().pop_front() {
            return Some(planned);
        }
        let mut random = Random::new(self.0.drawn.fetch_add(1, Ordering::SeqCst));
        let meets = random.below(1_000) < self.0.chance.load(Ordering::SeqCst);
        let which = usize::try_from(random.below(Fault::ALL.len() as u64)).unwrap();
        meets.then_some(Fault::ALL[which])
    }

    /// Passes on what comes, until the test ends.
    pub(crate) fn listen(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let faults = self.clone();
                // Whoever hangs up has what he wanted.
                thread::spawn(move || drop(faults.serve(stream)));
            }
        });
        address
    }

    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        // One for all of a client's requests: the emulator does not notice that one is closed.
        let mut emulator = TcpStream::connect(backend::emulator())?;
        emulator.set_nodelay(true)?;
        let mut passed_on = |request: &[u8]| {
            emulator.write_all(request)?;
            message(&mut emulator)
        };
        loop {
            let request = message(&mut client)?;
            let head = head_of(&request);
            let is_transaction = head.contains("transactwriteitems");
            let fault = is_transaction.then(|| self.draw());
            if head.contains("/sns/aws4_request") && self.0.topics_away.load(Ordering::SeqCst) {
                return Ok(());
            }
            let answer = match fault.flatten() {
                Some(Fault::Cut) => return Ok(()),
                Some(Fault::Throttled) => refusal(400, "ThrottlingException", ""),
                Some(Fault::Conflict) => refusal(
                    400,
                    "TransactionCanceledException",
                    r#","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]"#,
                ),
                Some(Fault::AnswerCut) => return passed_on(&request).map(drop),
                Some(Fault::DoneAndFailed) => {
                    passed_on(&request)?;
                    refusal(500, "InternalServerError", "")
                }
                Some(Fault::DoneAndGarbled) => {
                    passed_on(&request)?;
                    b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 15\r\n\r\n<h1>Sorry.</h1>"
                        .to_vec()
                }
                None => passed_on(&request)?,
            };
            client.write_all(&answer)?;
        }
    }
}

fn refusal(status: u16, code: &str, more: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"planned"{more}}}"#
    );
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Planned\r\ncontent-type: application/x-amz-json-1.0");
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A request or an answer, whole; both say how long they are.
fn message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(end) = message.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = head_of(&message);
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if message.len() >= end + 4 + length {
                return Ok(message);
            }
        }
        match from.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => message.extend_from_slice(&part[..count]),
        }
    }
}

/// The head of a message, in lower case.
fn head_of(message: &[u8]) -> String {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let head = &message[..end.unwrap_or(message.len())];
    String::from_utf8_lossy(head).to_lowercase()
}
