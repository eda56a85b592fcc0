//! Dead letters: orders that were given up, each with what an operator has to know of it.

use crate::fulfil::CallKind;
use crate::order::{Aim, Failure, Reason, Step};
use crate::{Change, Order, OrderId, RecordId, RecordKind, Status, Timestamp};
use serde::{Deserialize, Serialize};

/// One order that was given up in one round of its fulfilment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The order, as it is written.
    pub order_id: String,
    /// The version that the order had then; 0 where it could not be read.
    pub version: u32,
    /// The round in which it was given up; 0 where the order could not be read.
    pub round: u32,
    /// Why: a [`Reason`] in its word.
    pub reason: String,
    /// The step that could not be done, in its word.
    pub step: Option<String>,
    /// How many tries of that step failed.
    pub tries: u32,
    /// What went wrong, for people.
    pub error: String,
    /// Whether all that was begun is undone.
    pub compensated: Compensated,
    /// What became of the letter.
    pub state: LetterState,
    /// When the order was given up, in ms since 1970.
    pub failed_at_ms: i64,
    /// Why an operator discarded it.
    pub note: Option<String>,
}

/// Whether all that was begun is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compensated {
    /// All of it, or there was nothing.
    Yes,
    /// It was not begun.
    No,
    /// Some of it, or nobody knows.
    Partial,
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It waits for an operator.
    Waiting,
    /// Its order was brought back.
    Redriven,
    /// An operator decided that nothing is to be done.
    Discarded,
}

impl Letter {
    /// The letter of an order that was just given up, for this failure.
    #[must_use]
    pub fn of(order: &Order, failure: &Failure, now: Timestamp) -> Self {
        let compensated = match order.status {
            Status::NeedsReview
                if order.progress.aim == Aim::Complete
                    && order.progress.step == Some(Step::Commit) =>
            {
                Compensated::No
            }
            Status::NeedsReview => Compensated::Partial,
            _ => Compensated::Yes,
        };
        Self {
            order_id: order.id.to_string(),
            version: order.version + 1,
            round: order.progress.round,
            reason: failure.reason.as_str().to_owned(),
            step: Some(failure.step.as_str().to_owned()),
            tries: failure.tries,
            error: failure.detail.to_string(),
            compensated,
            state: LetterState::Waiting,
            failed_at_ms: now.as_millis(),
            note: None,
        }
    }

    /// The letter of a completed order that could not get a refund done in `tries`.
    #[must_use]
    pub fn of_refund(order: &Order, tries: u32, detail: &str, now: Timestamp) -> Self {
        Self {
            reason: Reason::RetriesExhausted.as_str().to_owned(),
            step: Some(CallKind::Refund.as_str().to_owned()),
            round: order.progress.round,
            version: order.version + 1,
            tries,
            compensated: Compensated::No,
            ..Self::poison(order.id, detail, now)
        }
    }

    /// The letter of an order that cannot be worked on at all.
    #[must_use]
    pub fn poison(order_id: OrderId, error: &str, now: Timestamp) -> Self {
        Self {
            order_id: order_id.to_string(),
            version: 0,
            round: 0,
            reason: Reason::Poison.as_str().to_owned(),
            step: None,
            tries: 0,
            error: error.chars().take(500).collect(),
            compensated: Compensated::No,
            state: LetterState::Waiting,
            failed_at_ms: now.as_millis(),
            note: None,
        }
    }

    /// The name of the letter among the records: its order, and the version at which it was given
    /// up, so that one order can be given up again.
    #[must_use]
    pub fn id(&self) -> RecordId {
        RecordId {
            kind: RecordKind::Letter,
            id: format!("{}:{}", self.order_id, self.version).into(),
        }
    }

    /// Writes the letter where the version `was` stands.
    #[must_use]
    pub fn change(&self, was: u32) -> Change {
        let body = serde_json::to_vec(self).expect("a letter has only text and numbers");
        Change::Record {
            id: self.id(),
            was,
            body: Some(body.into()),
        }
    }

    /// Whether a person has to rule on its order before anything else: part of what was begun is
    /// neither done nor undone.
    #[must_use]
    pub fn needs_ruling(&self) -> bool {
        let is_past_capture = self.step.as_deref() == Some(Step::Commit.as_str());
        is_past_capture || self.compensated == Compensated::Partial
    }

    /// Whether its order can be brought back.
    #[must_use]
    pub fn may_be_redriven(&self) -> bool {
        self.state == LetterState::Waiting && !self.needs_ruling()
    }

    /// The letter in a record; `None` where it holds none.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}
