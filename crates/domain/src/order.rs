//! An order, its lines, and the one table of the states it goes through.

use crate::text::Label;
use crate::trace::Trace;
use crate::{Currency, CustomerId, ItemId, Money, Name, OrderId, Timestamp};
use std::num::NonZeroU32;

/// The most lines of one order, so that every store takes an order whole.
pub const LINES_MAX: usize = 40;
/// The most of one item in one line.
pub const QUANTITY_MAX: u32 = 1_000_000;

/// What a customer asked for, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name, for ever.
    pub id: OrderId,
    /// The wire form it was placed in. Only `api` looks inside.
    pub contract: Contract,
    /// How far it has come.
    pub status: Status,
    /// 1 when placed, 1 more with every change: the fence of every writer.
    pub version: u32,
    /// Who it is for, as the client numbers its customers.
    pub customer_id: Option<CustomerId>,
    /// Who it is for, for people.
    pub customer_name: Option<Name>,
    /// The currency of every amount in it.
    pub currency: Currency,
    /// 1 to [`LINES_MAX`] lines; a line's number is its place, from 1.
    pub lines: Vec<Line>,
    /// The sum of its lines.
    pub total_minor: Money,
    /// How much was captured so far.
    pub captured_minor: Money,
    /// How much of that was given back.
    pub refunded_minor: Money,
    /// How far its fulfilment has come.
    pub progress: Progress,
    /// Why it cannot be had.
    pub failure: Option<Failure>,
    /// Whether it is to be paid for and taken from stock, or only recorded.
    pub fulfil: bool,
    /// A word that a client of an older system set on a recorded-only order.
    pub label: Option<Label>,
    /// The sequence of its newest event.
    pub newest_sequence: u32,
    /// When a client of an older system deleted it from view.
    pub hidden_at: Option<Timestamp>,
    /// The client's own notes: the text of one JSON object.
    pub metadata: Option<Box<str>>,
    /// The trace of the request that placed it, where it belonged to one. No client is shown it.
    pub trace: Option<Trace>,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its version last moved.
    pub updated_at: Timestamp,
}

impl Order {
    /// The order as it stood the moment it was placed: what the answer to its placing shows.
    #[must_use]
    pub fn as_placed(self) -> Self {
        Self {
            status: Status::Created,
            version: 1,
            captured_minor: Money::ZERO,
            refunded_minor: Money::ZERO,
            progress: Progress::default(),
            failure: None,
            label: None,
            newest_sequence: 1,
            hidden_at: None,
            updated_at: self.created_at,
            ..self
        }
    }
}

/// How far the fulfilment of an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// 1, and 1 more with every redrive: part of every effect id.
    pub round: u32,
    /// The call that comes next or is under way; `None` before the first and after the last.
    pub step: Option<Step>,
    /// How many tries of this step failed.
    pub tries: u32,
    /// What is to become of it.
    pub aim: Aim,
    /// When it must have moved on, while something is under way.
    pub deadline_at: Option<Timestamp>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            round: 1,
            step: None,
            tries: 0,
            aim: Aim::Complete,
            deadline_at: None,
        }
    }
}

/// What is to become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// It is to be completed; undone, it failed.
    Complete,
    /// A client does not want it any more; undone, it is cancelled.
    Cancel,
}

/// A call that fulfilment makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Hold the stock.
    Reserve,
    /// Hold the money.
    Authorise,
    /// Take the money: the pivot.
    Capture,
    /// Take the stock.
    Commit,
    /// Let go of the money.
    Void,
    /// Let go of the stock.
    Release,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 6] = [
        Self::Reserve,
        Self::Authorise,
        Self::Capture,
        Self::Commit,
        Self::Void,
        Self::Release,
    ];

    /// The word for it in JSON and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Commit => "commit",
            Self::Void => "void",
            Self::Release => "release",
        }
    }

    /// The step with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

/// Why an order cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What sort of thing went wrong.
    pub reason: Reason,
    /// At which step.
    pub step: Step,
    /// How many tries of that step had failed.
    pub tries: u32,
    /// What there is to say, for people; at most [`Failure::DETAIL_MAX`] characters.
    pub detail: Box<str>,
}

impl Failure {
    /// The most characters of a detail: it comes from outside.
    pub const DETAIL_MAX: usize = 500;

    /// As the API and events show it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "reason": self.reason.as_str(),
            "step": self.step.as_str(),
            "tries": self.tries,
            "detail": &*self.detail,
        })
    }

    /// Reads what [`Failure::to_json`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| json.get(name)?.as_str();
        Some(Self {
            reason: Reason::parse(word("reason")?)?,
            step: Step::parse(word("step")?)?,
            tries: json.get("tries")?.as_u64()?.try_into().ok()?,
            detail: word("detail")?.into(),
        })
    }
}

/// What sort of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The payment service does not want to.
    PaymentDeclined,
    /// There is not enough of an item.
    StockUnavailable,
    /// It was tried as often as allowed, or for as long.
    RetriesExhausted,
    /// It cannot be worked on at all.
    Poison,
    /// What was begun could not be undone.
    CompensationFailed,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::PaymentDeclined,
        Self::StockUnavailable,
        Self::RetriesExhausted,
        Self::Poison,
        Self::CompensationFailed,
    ];

    /// The word for it in JSON and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentDeclined => "payment_declined",
            Self::StockUnavailable => "stock_unavailable",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Poison => "poison",
            Self::CompensationFailed => "compensation_failed",
        }
    }

    /// The reason with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One row of an order. It has an item, a name, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about, as the client numbers its goods.
    pub item_id: Option<ItemId>,
    /// What it is about, for people.
    pub name: Option<Name>,
    /// How many.
    pub quantity: Quantity,
    /// The price of one; 0 where no catalogue knows it.
    pub unit_price_minor: Money,
}

impl Line {
    /// Quantity times unit price, or `None` where it does not fit.
    #[must_use]
    pub fn total(&self) -> Option<Money> {
        self.unit_price_minor.checked_times(self.quantity.get())
    }
}

/// How many of an item: 1 to [`QUANTITY_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(NonZeroU32);

impl Quantity {
    /// The number, where it is within the bounds.
    #[must_use]
    pub fn parse(number: u64) -> Option<Self> {
        let number = u32::try_from(number)
            .ok()
            .filter(|number| *number <= QUANTITY_MAX)?;
        NonZeroU32::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// The wire form an order was placed in: a tag that the rules carry and never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contract(pub u8);

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Accepted; nothing was asked of anyone yet.
    Created,
    /// Being reserved, paid for and completed.
    Processing,
    /// All of it done.
    Completed,
    /// What was done is being undone.
    Compensating,
    /// It could not be had; all undone.
    Failed,
    /// A client or a deadline ended it before the capture.
    Cancelled,
    /// Nobody but a person can say what happened.
    NeedsReview,
    /// Completed, and the whole amount given back.
    Refunded,
}

/// Every move that an order may make, and no other.
const MOVES: [(Status, &[Status]); 8] = {
    use Status::{
        Cancelled, Compensating, Completed, Created, Failed, NeedsReview, Processing, Refunded,
    };
    [
        (Created, &[Processing, Cancelled]),
        (Processing, &[Completed, Compensating, NeedsReview]),
        (Compensating, &[Failed, Cancelled, NeedsReview]),
        (Failed, &[Created]),
        (NeedsReview, &[Processing, Compensating]),
        (Completed, &[Refunded]),
        (Cancelled, &[]),
        (Refunded, &[]),
    ]
};

impl Status {
    /// Every status.
    pub fn all() -> impl Iterator<Item = Self> {
        MOVES.iter().map(|(from, _)| *from)
    }

    /// Where an order may go from here.
    #[must_use]
    pub fn allowed(self) -> &'static [Self] {
        MOVES
            .iter()
            .find(|(from, _)| *from == self)
            .map_or(&[], |(_, to)| to)
    }

    /// The word for it in JSON, SQL and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Compensating => "compensating",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NeedsReview => "needs_review",
            Self::Refunded => "refunded",
        }
    }

    /// The status with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|status| status.as_str() == word)
    }
}

#[cfg(test)]
mod tests;
