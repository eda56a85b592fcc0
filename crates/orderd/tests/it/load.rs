//! Clients that post orders and remember what they were told; not an assertion in here.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How many of a hundred posts repeat an earlier one.
const REPEATED_PERCENT: u64 = 25;

/// No answer takes longer than this, however slow the disk.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// One request to place an order.
#[derive(Clone, Debug)]
pub(crate) struct Placing {
    pub(crate) path: &'static str,
    pub(crate) key: String,
    pub(crate) body: String,
}

/// A key that was used, and what is known of it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) placing: Placing,
    /// The body of the 201, where one was read whole before the cut. `None`: unknown.
    pub(crate) acknowledged: Option<Vec<u8>>,
    /// Answers that contradict that.
    pub(crate) mismatches: u64,
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header lines, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Posts orders from `clients` threads until `cut` is set or the server is gone. An answer counts
/// only if `cut` was not yet set when the last byte of it had been read.
pub(crate) fn run(address: SocketAddr, clients: u64, seed: u64, cut: &AtomicBool) -> Vec<Entry> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let prefix = format!("{seed:016x}-{number}");
                let random = Random::new(seed ^ (number << 32));
                scope.spawn(move || drive(address, random, &prefix, cut))
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn drive(address: SocketAddr, mut random: Random, prefix: &str, cut: &AtomicBool) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut connection = Client::connect(address);
    while !cut.load(Ordering::SeqCst) {
        let number = entries.len() as u64;
        let chosen = if number > 0 && random.below(100) < REPEATED_PERCENT {
            usize::try_from(random.below(number)).expect("an index of a vector")
        } else {
            let placing = Placing::any(&mut random, format!("{prefix}-{number}"));
            entries.push(Entry {
                placing,
                acknowledged: None,
                mismatches: 0,
            });
            entries.len() - 1
        };
        let answer = connection
            .as_mut()
            .map_err(|error| io::Error::from(error.kind()));
        let answer = answer.and_then(|client| client.place(&entries[chosen].placing));
        if cut.load(Ordering::SeqCst) {
            break;
        }
        // Nobody has killed the server yet: a connection that ends now is a fault as well.
        entries[chosen].learn(answer.expect("the server answers while it lives"));
    }
    entries
}

impl Entry {
    /// Takes an answer down: the first 201 is the truth, whatever differs from it is a mismatch.
    pub(crate) fn learn(&mut self, answer: Answer) {
        match &self.acknowledged {
            _ if answer.status != 201 => self.mismatches += 1,
            Some(first) if *first != answer.body => self.mismatches += 1,
            Some(_) => {}
            None => self.acknowledged = Some(answer.body),
        }
    }

    /// Where the acknowledged order is to be found.
    pub(crate) fn location(&self) -> Option<String> {
        let order: Value = serde_json::from_slice(self.acknowledged.as_ref()?).ok()?;
        Some(format!(
            "{}/{}",
            self.placing.path,
            order["order_id"].as_str()?
        ))
    }
}

impl Placing {
    fn any(random: &mut Random, key: String) -> Self {
        let (customer, item) = (random.below(1_000), random.below(100));
        let quantity = 1 + random.below(9);
        if random.below(2) == 0 {
            Self::receipt(key, customer, item, quantity)
        } else {
            Self::v1(key, customer, item, quantity)
        }
    }

    /// An order under `/v1`.
    pub(crate) fn v1(key: String, customer: u64, item: u64, quantity: u64) -> Self {
        let body = format!(
            r#"{{"customer_id":"c{customer}","lines":[{{"item_id":"i{item}","quantity":{quantity}}}]}}"#
        );
        Self {
            path: "/v1/orders",
            key,
            body,
        }
    }

    fn receipt(key: String, customer: u64, item: u64, quantity: u64) -> Self {
        let body =
            format!(r#"{{"customer_id":"c{customer}","item_id":"i{item}","quantity":{quantity}}}"#);
        Self {
            path: "/orders",
            key,
            body,
        }
    }
}

/// One kept-alive connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Posts an order.
    pub(crate) fn place(&mut self, placing: &Placing) -> io::Result<Answer> {
        let Placing { path, key, body } = placing;
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// Gets what is at `path`.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    }

    /// Sends a request with a body of JSON, or with none.
    pub(crate) fn request(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends a request as it stands.
    pub(crate) fn send(&mut self, request: &str) -> io::Result<Answer> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let head = self.read_head()?;
        let length = header(&head, "content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok(Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            head,
            body,
        })
    }

    fn read_head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head.to_ascii_lowercase())
    }
}

impl Answer {
    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(n, _)| *n == name))
        .map(|(_, v)| v)
}

/// Randomness that a seed repeats (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
