//! The requests of a load, built once as bytes: before each sending only the numbers in it change.

use super::scenario::Contract;

/// How many orders a batch places.
pub(super) const BATCH: u64 = 100;
/// How many orders are placed before the load, to be replayed and read by it.
pub(super) const PREPARED: u64 = 1_000;

/// What one request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Places an order under a key of its own.
    Create,
    /// Sends one of the prepared orders again, under its key.
    Replay,
    /// Reads one of the prepared orders.
    Get,
    /// Reads the newest fifty.
    List,
    /// Places a hundred.
    Batch,
}

impl Kind {
    /// Whether the same request again must be answered with the same bytes. (A batch says of each
    /// order whether it was there before.)
    pub(super) const fn is_repeatable(self) -> bool {
        matches!(self, Self::Create)
    }
}

/// Where the requests of a load go, and what is the same in all of them.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The value of `Host`.
    pub(super) host: String,
    /// What orders are posted to, and below which they are read.
    pub(super) path: String,
    /// The wire form.
    pub(super) contract: Contract,
    /// Keeps the keys of this run apart from those of any other.
    pub(super) run: u32,
    /// The access token to show, where there is one.
    pub(super) token: Option<String>,
}

impl Route {
    /// The header lines that every request has.
    fn head(&self) -> String {
        let host = &self.host;
        match &self.token {
            Some(token) => format!("Host: {host}\r\nAuthorization: Bearer {token}\r\n"),
            None => format!("Host: {host}\r\n"),
        }
    }
}

/// A request whose numbers are filled in where they stand.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Numbers start over here: replays and reads stay within what was prepared.
    modulus: u64,
    /// How many orders one request holds.
    orders: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    fill: Fill,
    /// Which order of the request it belongs to.
    order: u64,
}

#[derive(Clone, Copy, Debug)]
enum Fill {
    Key,
    Customer,
    Item,
    Id,
}

impl Fill {
    /// Fixed widths, so that the length of a request never changes.
    const fn width(self) -> usize {
        match self {
            Self::Key => 8,
            Self::Customer => 4,
            Self::Item => 3,
            Self::Id => 36,
        }
    }
}

impl Template {
    /// The request of this kind.
    pub(super) fn new(kind: Kind, route: &Route) -> Self {
        let Route { path, .. } = route;
        match kind {
            Kind::Create => post(path, route, order(route.contract, 0), u64::MAX),
            Kind::Replay => post(path, route, order(route.contract, 0), PREPARED),
            Kind::Batch => batch(route),
            Kind::Get => get(|head| head.text(path).text("/").slot(Fill::Id, 0), route),
            Kind::List => get(|head| head.text(path).text(route.contract.newest()), route),
        }
    }

    /// The bytes to send as request `number`.
    pub(super) fn fill(&mut self, number: u64, ids: &[String]) -> &[u8] {
        let first = number % self.modulus;
        for slot in &self.slots {
            let order = first * self.orders + slot.order;
            let out = &mut self.bytes[slot.at..slot.at + slot.fill.width()];
            match slot.fill {
                Fill::Key => digits::<16>(out, order),
                Fill::Customer | Fill::Item => digits::<10>(out, order),
                Fill::Id => out.copy_from_slice(id(ids, order)),
            }
        }
        &self.bytes
    }
}

fn id(ids: &[String], number: u64) -> &[u8] {
    let count = u64::try_from(ids.len()).expect("a length fits 64 bits");
    let index = usize::try_from(number % count).expect("it is below a length");
    ids[index].as_bytes()
}

/// The last digits of `number`, as many as fit.
fn digits<const BASE: u64>(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::try_from(number % BASE).expect("a digit is below 16")];
        number /= BASE;
    }
}

fn post(path: &str, route: &Route, body: Draft, modulus: u64) -> Template {
    let head = Draft::default()
        .text(&format!("POST {path} HTTP/1.1\r\n{}", route.head()))
        .text("Content-Type: application/json\r\n")
        .text(&format!(
            "Content-Length: {}\r\nIdempotency-Key: {:08x}",
            body.0.len(),
            route.run
        ))
        .slot(Fill::Key, 0)
        .text("\r\n\r\n")
        .then(body);
    Template {
        bytes: head.0,
        slots: head.1,
        modulus,
        orders: 1,
    }
}

fn batch(route: &Route) -> Template {
    let mut body = Draft::default().text(r#"{"items":["#);
    for index in 0..BATCH {
        let comma = if index == 0 { "" } else { "," };
        body = body
            .text(&format!(r#"{comma}{{"idempotency_key":"{:08x}"#, route.run))
            .slot(Fill::Key, index)
            .text(r#"","order":"#)
            .then(order(Contract::V1, index))
            .text("}");
    }
    let body = body.text("]}");
    let head = Draft::default()
        .text(&format!(
            "POST {}/batch HTTP/1.1\r\n{}",
            route.path,
            route.head()
        ))
        .text("Content-Type: application/json\r\n")
        .text(&format!("Content-Length: {}\r\n\r\n", body.0.len()))
        .then(body);
    Template {
        bytes: head.0,
        slots: head.1,
        modulus: u64::MAX,
        orders: BATCH,
    }
}

fn get(target: impl FnOnce(Draft) -> Draft, route: &Route) -> Template {
    let head =
        target(Draft::default().text("GET ")).text(&format!(" HTTP/1.1\r\n{}\r\n", route.head()));
    Template {
        bytes: head.0,
        slots: head.1,
        modulus: PREPARED,
        orders: 1,
    }
}

fn order(contract: Contract, index: u64) -> Draft {
    let (begin, before, after) = match contract {
        Contract::V1 => (
            r#"{"customer_id":"c"#,
            r#"","lines":[{"item_id":"i"#,
            r#"","quantity":1}]}"#,
        ),
        Contract::Receipt => (
            r#"{"customer_id":"c"#,
            r#"","item_id":"i"#,
            r#"","quantity":1}"#,
        ),
        Contract::Basket => (
            r#"{"customer_name":"c"#,
            r#"","items":[{"name":"i"#,
            r#"","quantity":1}]}"#,
        ),
    };
    Draft::default()
        .text(begin)
        .slot(Fill::Customer, index)
        .text(before)
        .slot(Fill::Item, index)
        .text(after)
}

/// A request in the making: its bytes, and where numbers will go.
#[derive(Default)]
struct Draft(Vec<u8>, Vec<Slot>);

impl Draft {
    fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn slot(mut self, fill: Fill, order: u64) -> Self {
        self.1.push(Slot {
            at: self.0.len(),
            fill,
            order,
        });
        self.0.resize(self.0.len() + fill.width(), b'0');
        self
    }

    fn then(mut self, rest: Self) -> Self {
        let from = self.0.len();
        self.0.extend(rest.0);
        self.1.extend(rest.1.into_iter().map(|slot| Slot {
            at: from + slot.at,
            ..slot
        }));
        self
    }
}

#[cfg(test)]
mod tests;
