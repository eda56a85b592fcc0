//! The books of the simulated services: what took effect, by effect id, whoever asked how often. One line of JSON in a file for everything that took effect, written before the answer
//! leaves, so that they outlive a process that is killed.

use domain::fulfil::{Answer, Call, CallKind, Refused};
use domain::{OrderId, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What took effect.
pub struct Books(Mutex<Open>);

#[derive(Default)]
struct Open {
    charges: HashMap<(OrderId, u32), Charge>,
    file: Option<File>,
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
        let charges = read(path)?;
        let file = File::options().create(true).append(true).open(path)?;
        let file = Some(file);
        Ok(Self(Mutex::new(Open { charges, file })))
    }

    /// Has a call take effect, if it did not before and still can.
    pub fn apply(&self, call: &Call, now: Timestamp) -> Answer {
        let mut open = self.lock();
        let key = (call.order_id, call.round);
        let was = open.charges.get(&key).copied().unwrap_or_default();
        let (charge, answer) = was.after(call);
        if charge != was {
            if let Some(file) = &mut open.file {
                let line = json!({
                    "at_ms": now.as_millis(), "effect_id": call.effect_id(),
                    "amount_minor": call.amount.as_minor(), "currency": call.currency.as_str(),
                });
                if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
                    return Answer::Failed(format!("the books: {error}").into(), None);
                }
            }
            open.charges.insert(key, charge);
        }
        answer
    }

    /// How many charges were authorised, how many captured, how many voided.
    #[must_use]
    pub fn totals(&self) -> (usize, usize, usize) {
        let open = self.lock();
        let count = |of: fn(&Charge) -> bool| open.charges.values().filter(|it| of(it)).count();
        (
            count(|charge| charge.authorised.is_some()),
            count(|charge| charge.captured),
            count(|charge| charge.voided),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// What a call makes of it, and what is answered.
    fn after(self, call: &Call) -> (Self, Answer) {
        let refused = |why: &str| Answer::Refused(Refused::Declined, why.into());
        match call.kind {
            CallKind::Authorise if self.voided => (self, refused("it was voided before")),
            CallKind::Authorise => {
                let authorised = self.authorised.or(Some(call.amount.as_minor()));
                (Self { authorised, ..self }, Answer::Done)
            }
            CallKind::Capture | CallKind::Look if self.captured => (self, Answer::Done),
            CallKind::Capture if self.voided => (self, refused("it was voided before")),
            CallKind::Capture if self.authorised.is_none() => {
                (self, refused("it was not authorised"))
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

/// Every charge of the books in a file, in no order; none where there is no file.
///
/// # Errors
/// Those of the file, and a line that is not of such books.
pub fn read(path: &Path) -> io::Result<HashMap<(OrderId, u32), Charge>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let mut charges: HashMap<(OrderId, u32), Charge> = HashMap::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        let (key, kind, amount) = entry(&line).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("not an entry: {line}"))
        })?;
        let charge = charges.entry(key).or_default();
        match kind {
            "authorise" => charge.authorised = Some(amount),
            "capture" => charge.captured = true,
            "void" => charge.voided = true,
            "reserve" => charge.stock = Held::Reserved,
            "commit" => charge.stock = Held::Committed,
            _ => charge.stock = Held::Released,
        }
    }
    Ok(charges)
}

fn entry(line: &str) -> Option<((OrderId, u32), &'static str, i64)> {
    let json: Value = serde_json::from_str(line).ok()?;
    let mut parts = json.get("effect_id")?.as_str()?.split(':');
    let order_id = OrderId::parse(parts.next()?)?;
    let kinds = [
        "authorise",
        "capture",
        "void",
        "reserve",
        "commit",
        "release",
    ];
    let kind = parts.next()?;
    let kind = kinds.into_iter().find(|known| *known == kind)?;
    let round = parts.next()?.parse().ok()?;
    Some(((order_id, round), kind, json.get("amount_minor")?.as_i64()?))
}
