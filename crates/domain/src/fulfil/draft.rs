//! A decision in the making: the case as it will be, with the events, transfers and movements of
//! stock that make it so.

use super::{Case, Decision, Then};
use crate::letter::Letter;
use crate::order::{Failure, Reason, Step};
use crate::stock::Movement;
use crate::transfer::{Asset, Subject, TransferKind};
use crate::{Change, Event, EventId, EventKind, ItemId, Status, Timestamp, Transfer, refund};
use serde_json::Value;

/// What a decision needs from outside the rules.
pub struct Moment<'m> {
    /// The time it is.
    pub now: Timestamp,
    /// Spreads retries.
    pub random: u64,
    /// New ids for events.
    pub ids: &'m mut dyn FnMut() -> EventId,
}

pub(super) struct Draft<'d, 'm> {
    pub(super) case: Case,
    was: u32,
    stock: Vec<Change>,
    changes: Vec<Change>,
    pub(super) moment: &'d mut Moment<'m>,
}

impl<'d, 'm> Draft<'d, 'm> {
    pub(super) fn new(case: Case, moment: &'d mut Moment<'m>) -> Self {
        Self {
            was: case.order.version,
            case,
            stock: Vec::new(),
            changes: Vec::new(),
            moment,
        }
    }

    /// The call that comes next.
    pub(super) fn step(&mut self, step: Step) {
        self.case.order.progress.step = Some(step);
        self.case.order.progress.tries = 0;
    }

    pub(super) fn deadline(&mut self, millis: i64) {
        self.case.order.progress.deadline_at = Some(self.moment.now.plus_millis(millis));
    }

    /// Says why the order cannot be had. What was said first stays.
    pub(super) fn fail(&mut self, reason: Reason, detail: &str) {
        let order = &mut self.case.order;
        if order.failure.is_none() {
            order.failure = Some(Failure {
                reason,
                step: order.progress.step.unwrap_or(Step::Reserve),
                tries: order.progress.tries,
                detail: detail.chars().take(Failure::DETAIL_MAX).collect(),
            });
        }
    }

    pub(super) fn event(&mut self, kind: EventKind, payload: Option<Value>) {
        let order = &mut self.case.order;
        order.newest_sequence += 1;
        let event = Event {
            id: (self.moment.ids)(),
            order_id: order.id,
            sequence: order.newest_sequence,
            kind,
            payload: payload.map(|payload| payload.to_string().into()),
            occurred_at: self.moment.now,
            traceparent: order.trace,
        };
        if order.status == Status::Completed {
            refund::follow(&mut self.case.refunds, &event);
        }
        self.changes.push(Change::Event(event));
    }

    pub(super) fn stock(&mut self, item_id: ItemId, on_hand: i64, reserved: i64) {
        self.stock.push(Change::Stock(Movement {
            item_id,
            on_hand,
            reserved,
            was: None,
        }));
    }

    /// A movement between the customers and the shop; a reversal goes the other way.
    pub(super) fn transfer(&mut self, kind: TransferKind, asset: Asset, amount: u64) {
        let (debit, credit) = match (asset.sale(), kind) {
            ((debit, credit), TransferKind::Reversal) => (credit, debit),
            (sale, _) => sale,
        };
        let number = u32::try_from(self.case.transfers.len()).unwrap_or(u32::MAX) + 1;
        let transfer = Transfer {
            subject: Subject::Order(self.case.order.id),
            number,
            kind,
            asset,
            debit,
            credit,
            amount,
            reason: None,
            occurred_at: self.moment.now,
        };
        self.changes.push(Change::Transfer(transfer.clone()));
        self.case.transfers.push(transfer);
    }

    /// Puts the order among the dead letters.
    pub(super) fn letter(&mut self, failure: &Failure) {
        self.bury(&Letter::of(&self.case.order, failure, self.moment.now));
    }

    /// Adds a new dead letter.
    pub(super) fn bury(&mut self, letter: &Letter) {
        self.changes.push(letter.change(0));
    }

    pub(super) fn end(self, then: Then) -> Decision {
        let Self {
            mut case,
            was,
            stock,
            changes,
            moment,
        } = self;
        case.order.version = was + 1;
        case.order.updated_at = moment.now;
        let moved = Change::Order {
            was,
            now: Box::new(case.order.clone()),
        };
        Decision {
            changes: stock.into_iter().chain([moved]).chain(changes).collect(),
            case,
            then,
        }
    }
}
