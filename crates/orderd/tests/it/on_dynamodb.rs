//! What DynamoDB does and an emulator never does: it has no time, sees a conflict, loses an answer.
//! A proxy in front of the emulator does it.

use crate::backend;
use crate::harness::{Server, Site, Tally};
use crate::load::{Answer, Client, Placing};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
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
}

/// As often as a store tries.
const TRIES: usize = 8;

#[test]
fn an_order_is_placed_once_whatever_becomes_of_its_transaction() {
    if backend::is_dynamodb() {
        assert_eq!(violations(None), Vec::<String>::new());
    }
}

#[test]
fn a_key_that_is_taken_in_a_transaction_of_its_own_is_caught() {
    if backend::is_dynamodb() {
        assert_ne!(violations(Some("split-transaction")), Vec::<String>::new());
    }
}

/// What goes wrong when orders are placed under faults.
fn violations(mutant: Option<&'static str>) -> Vec<String> {
    let (site, server, faults) = behind_a_proxy(mutant);
    let mut client = Client::connect(server.address).unwrap();
    let mut found = Vec::new();
    let cases: [(&[Fault], u16); 7] = [
        (&[Fault::Throttled, Fault::Throttled, Fault::Conflict], 201),
        (&[Fault::Throttled; TRIES], 503),
        (&[Fault::Conflict; TRIES], 503),
        (&[Fault::Cut], 503),
        (&[Fault::AnswerCut], 201),
        (&[Fault::DoneAndFailed], 201),
        (&[Fault::Conflict, Fault::AnswerCut], 201),
    ];
    for (number, (planned, status)) in (0..).zip(cases) {
        faults.plan(planned);
        let placing = Placing::v1(format!("key-{number}"), number, number, 1);
        let [first, second, third] = [(); 3].map(|()| client.place(&placing).unwrap());
        let expected = [status, 201, 201];
        let got = [&first, &second, &third].map(|answer| answer.status);
        if got != expected {
            found.push(format!("{planned:?}: {got:?}: {}", text(&first)));
        }
        if first.header("retry-after").is_some() != (status == 503) {
            found.push(format!("{planned:?}: {}", first.head));
        }
        if second.body != third.body || (first.status == 201 && first.body != second.body) {
            found.push(format!("{planned:?}: the answers differ"));
        }
        if !faults.are_over() {
            found.push(format!("{planned:?} have not all come"));
        }
    }
    let mut tally = Tally::default();
    tally.count(&site, cases.len() as u64);
    tally.verify(&site);
    if tally.violations() > 0 {
        found.push(format!("{tally:?}\n{}", site.last_words()));
    }
    found
}

/// A server that reaches the emulator through a proxy.
fn behind_a_proxy(mutant: Option<&'static str>) -> (Site, Server, Faults) {
    let faults = Faults::default();
    let address = faults.clone().listen();
    let mut site = Site::new(mutant);
    site.environment.extend([
        ("AWS_ENDPOINT_URL", format!("http://{address}").into()),
        // Only what a test does is to be met by a fault.
        ("ORDERD_WORKER_ENABLED", "false".into()),
    ]);
    let server = site.start().unwrap();
    (site, server, faults)
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The faults of the transactions to come, in this order.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<VecDeque<Fault>>>);

impl Faults {
    fn plan(&self, faults: &[Fault]) {
        self.0.lock().unwrap().extend(faults);
    }

    fn are_over(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    /// Passes on what comes, until the test ends.
    fn listen(self) -> SocketAddr {
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
        loop {
            let request = message(&mut client)?;
            let is_transaction = head_of(&request).contains("transactwriteitems");
            let fault = is_transaction.then(|| self.0.lock().unwrap().pop_front());
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
                None => passed_on(&request)?,
            };
            client.write_all(&answer)?;
        }
    }
}

/// What the emulator answers.
fn passed_on(request: &[u8]) -> io::Result<Vec<u8>> {
    let mut emulator = TcpStream::connect(backend::emulator())?;
    emulator.write_all(request)?;
    message(&mut emulator)
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
