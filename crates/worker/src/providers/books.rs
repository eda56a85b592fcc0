//! The books of the simulated services: what took effect, by effect id, whoever asked how often.
//! One line of JSON in a file for everything that took effect, written before the answer leaves, so
//! that they outlive a process that is killed. What a full disk or a kill left of a line took no
//! effect.

use domain::fulfil::{Answer, Call, CallKind, Refused};
use domain::{EventId, OrderId, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What took effect.
pub struct Books(Mutex<Open>);

#[derive(Default)]
struct Open {
    entries: Entries,
    file: Option<Lines>,
}

/// A file that whole lines are added to.
struct Lines {
    file: File,
    /// How many bytes its whole lines are.
    whole: u64,
    /// Whether there may be a part of a line after them.
    torn: bool,
}

/// All that took effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The charges, by order and round.
    pub charges: HashMap<(OrderId, u32), Charge>,
    /// What was given back of an order, in minor units, by refund.
    pub refunds: HashMap<OrderId, BTreeMap<EventId, i64>>,
}

/// What became of the charge of one order in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// How much was authorised, in minor units.
    pub authorised: Option<i64>,
    /// Whether it was taken.
    pub captured: bool,
    /// Whether it was let go of; nothing takes effect afterwards.
    pub voided: bool,
    /// What became of its stock, where that is kept here as well.
    pub stock: Held,
}

/// What became of the stock of one order in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// It was not asked for.
    #[default]
    Nothing,
    /// It is held.
    Reserved,
    /// It was taken.
    Committed,
    /// It was let go of; nothing takes effect afterwards.
    Released,
}

impl Books {
    /// Books in memory: they go with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Mutex::default())
    }

    /// Books in a file, made if need be.
    ///
    /// # Errors
    /// Those of the file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (entries, whole) = read_whole(path)?;
        let lines = Lines {
            file: File::options().create(true).append(true).open(path)?,
            whole,
            torn: true,
        };
        let file = Some(lines);
        Ok(Self(Mutex::new(Open { entries, file })))
    }

    /// Has a call take effect, if it did not before and still can.
    pub fn apply(&self, call: &Call, now: Timestamp) -> Answer {
        let mut open = self.lock();
        let key = (call.order_id, call.round);
        let was = open.entries.charges.get(&key).copied().unwrap_or_default();
        if let Some(refund_id) = call.refund_id {
            let there = open.entries.refunds.get(&call.order_id);
            if there.is_some_and(|refunds| refunds.contains_key(&refund_id)) {
                return Answer::Done;
            }
            let given_back: i64 = there.into_iter().flat_map(BTreeMap::values).sum();
            let taken = if was.captured { was.authorised } else { None };
            let amount = call.amount.as_minor();
            if given_back + amount > taken.unwrap_or_default() {
                return declined("not so much was captured");
            }
            if let Err(failed) = open.note(call, now) {
                return failed;
            }
            let refunds = open.entries.refunds.entry(call.order_id).or_default();
            refunds.insert(refund_id, amount);
            return Answer::Done;
        }
        let (charge, answer) = was.after(call);
        if charge != was {
            if let Err(failed) = open.note(call, now) {
                return failed;
            }
            open.entries.charges.insert(key, charge);
        }
        answer
    }

    /// How many charges were authorised, how many captured, how many voided.
    #[must_use]
    pub fn totals(&self) -> (usize, usize, usize) {
        let open = self.lock();
        let charges = &open.entries.charges;
        let count = |of: fn(&Charge) -> bool| charges.values().filter(|it| of(it)).count();
        (
            count(|charge| charge.authorised.is_some()),
            count(|charge| charge.captured),
            count(|charge| charge.voided),
        )
    }

    /// How much was given back in all, in minor units.
    #[must_use]
    pub fn refunded(&self) -> i64 {
        let open = self.lock();
        open.entries
            .refunds
            .values()
            .flat_map(BTreeMap::values)
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Writes down that a call takes effect.
    fn note(&mut self, call: &Call, now: Timestamp) -> Result<(), Answer> {
        let Some(lines) = &mut self.file else {
            return Ok(());
        };
        // None of these needs to be escaped.
        let line = format!(
            "{{\"at_ms\":{},\"effect_id\":\"{}\",\"amount_minor\":{},\"currency\":\"{}\"}}\n",
            now.as_millis(),
            call.effect_id(),
            call.amount.as_minor(),
            call.currency.as_str(),
        );
        lines
            .add(&line)
            .map_err(|error| Answer::Failed(format!("the books: {error}").into(), None))
    }
}

impl Lines {
    /// Adds a line that ends as lines do, or nothing.
    fn add(&mut self, line: &str) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.whole)?;
        }
        self.torn = true;
        self.file.write_all(line.as_bytes())?;
        self.torn = false;
        self.whole += line.len() as u64;
        Ok(())
    }
}

fn declined(why: &str) -> Answer {
    Answer::Refused(Refused::Declined, why.into())
}

impl Charge {
    /// What a call makes of it, and what is answered.
    fn after(self, call: &Call) -> (Self, Answer) {
        match call.kind {
            CallKind::Authorise if self.voided => (self, declined("it was voided before")),
            CallKind::Authorise => {
                let authorised = self.authorised.or(Some(call.amount.as_minor()));
                (Self { authorised, ..self }, Answer::Done)
            }
            CallKind::Capture | CallKind::Look if self.captured => (self, Answer::Done),
            CallKind::Capture if self.voided => (self, declined("it was voided before")),
            CallKind::Capture if self.authorised.is_none() => {
                (self, declined("it was not authorised"))
            }
            CallKind::Capture => {
                let captured = true;
                (Self { captured, ..self }, Answer::Done)
            }
            CallKind::Look => (self, Answer::NotCaptured),
            CallKind::Void if self.captured => (self, Answer::Captured),
            CallKind::Void => {
                let voided = true;
                (Self { voided, ..self }, Answer::Done)
            }
            CallKind::Reserve | CallKind::Commit | CallKind::Release => self.after_stock(call.kind),
            CallKind::Refund => (self, declined("it has no name")),
        }
    }
}

impl Charge {
    fn after_stock(self, kind: CallKind) -> (Self, Answer) {
        let to = |stock| (Self { stock, ..self }, Answer::Done);
        match (kind, self.stock) {
            (CallKind::Reserve, Held::Nothing) => to(Held::Reserved),
            (CallKind::Reserve, Held::Reserved | Held::Committed)
            | (CallKind::Commit, Held::Committed)
            | (CallKind::Release, Held::Released) => (self, Answer::Done),
            (CallKind::Commit, Held::Reserved) => to(Held::Committed),
            (CallKind::Release, Held::Nothing | Held::Reserved) => to(Held::Released),
            (_, was) => {
                let why = format!("it is {was:?}").to_lowercase();
                (self, Answer::Refused(Refused::OutOfStock, why.into()))
            }
        }
    }
}

/// The books in a file; empty where there is no file.
///
/// # Errors
/// Those of the file, and a line that is not of such books.
pub fn read(path: &Path) -> io::Result<Entries> {
    read_whole(path).map(|(entries, _)| entries)
}

/// The books in a file, and how many bytes its whole lines are.
fn read_whole(path: &Path) -> io::Result<(Entries, u64)> {
    let (mut entries, mut whole) = (Entries::default(), 0);
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((entries, whole)),
        Err(error) => return Err(error),
    };
    let mut line = String::new();
    while file.read_line(&mut line)? > 0 && line.ends_with('\n') {
        entries.add(&line).ok_or_else(|| {
            let what = format!("not an entry: {}", line.trim_end());
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        whole += line.len() as u64;
        line.clear();
    }
    Ok((entries, whole))
}

/// What a line says, as far as it is read again.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    effect_id: Cow<'l, str>,
    amount_minor: i64,
}

impl Entries {
    /// Adds what a line says; `None` where it says nothing.
    fn add(&mut self, line: &str) -> Option<()> {
        let line: Line<'_> = serde_json::from_str(line).ok()?;
        let amount = line.amount_minor;
        let mut parts = line.effect_id.split(':');
        let (order_id, kind, last) = (parts.next()?, parts.next()?, parts.next()?);
        let order_id = OrderId::parse(order_id)?;
        if kind == "refund" {
            let refunds = self.refunds.entry(order_id).or_default();
            refunds.insert(EventId::parse(last)?, amount);
            return Some(());
        }
        let charge = self.charges.entry((order_id, last.parse().ok()?));
        let charge = charge.or_default();
        match kind {
            "authorise" => charge.authorised = Some(amount),
            "capture" => charge.captured = true,
            "void" => charge.voided = true,
            "reserve" => charge.stock = Held::Reserved,
            "commit" => charge.stock = Held::Committed,
            "release" => charge.stock = Held::Released,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
