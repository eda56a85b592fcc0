//! The rows of many write sets by kind, so that an engine writes each kind at once.

use super::Failure;
use crate::write_sets::{Subscriber, Told, Whom, events_of, in_sequence, moves, tell};
use domain::stock::Movement;
use domain::{
    Change, Delayed, Event, Lease, LedgerEntry, Order, OrderId, Timestamp, Transfer, Wake, WriteSet,
};
use sqlx::error::ErrorKind;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    /// The number of the write set in its group.
    pub(crate) write_set: usize,
    /// The number of the change in there.
    pub(crate) change: usize,
}

/// The rows of some write sets, by kind.
#[derive(Default)]
pub(crate) struct Rows<'w> {
    pub(crate) placed: Vec<(At, &'w Order, &'w LedgerEntry)>,
    pub(crate) moved: Vec<Moved<'w>>,
    pub(crate) events: Vec<(At, &'w Event)>,
    pub(crate) told: BTreeMap<Whom, Told>,
    pub(crate) transfers: Vec<(At, &'w Transfer)>,
    pub(crate) stock: Vec<(At, &'w Movement)>,
    pub(crate) wakes: Vec<&'w Wake>,
    /// The first ones of orders that are placed with them: there is nothing to merge them with.
    pub(crate) first_wakes: Vec<&'w Wake>,
    pub(crate) settled: Vec<(At, &'w Lease)>,
    pub(crate) delayed: Vec<(At, &'w Lease, Timestamp, &'w Delayed)>,
    /// What is rare, and made one by one.
    pub(crate) others: Vec<(At, &'w Change)>,
    /// Whose guard fails without a look.
    pub(crate) wrong: BTreeSet<At>,
}

/// An order that moves on.
pub(crate) struct Moved<'w> {
    pub(crate) at: At,
    /// From which version.
    pub(crate) was: u32,
    pub(crate) now: &'w Order,
    /// What its newest event must be.
    pub(crate) before: Option<u32>,
    /// What its newest event is then.
    pub(crate) newest: Option<u32>,
}

impl<'w> Rows<'w> {
    /// Adds what a write set changes.
    pub(crate) fn gather(
        &mut self,
        number: usize,
        write_set: &'w WriteSet,
        subscribers: &[Subscriber],
    ) {
        for (change_number, change) in write_set.changes.iter().enumerate() {
            let at = At {
                write_set: number,
                change: change_number,
            };
            match change {
                Change::Place(order, entry) => self.placed.push((at, order, entry)),
                Change::Order { was, now } => {
                    let events = events_of(write_set, now);
                    if !in_sequence(&events) {
                        self.wrong.insert(at);
                    }
                    self.moved.push(Moved {
                        at,
                        was: *was,
                        now,
                        before: events.first().map(|event| event.sequence - 1),
                        newest: events.last().map(|event| event.sequence),
                    });
                }
                Change::Event(event) => {
                    if event.sequence > 1 && !moves(write_set, event) {
                        self.wrong.insert(at);
                    }
                    self.events.push((at, event));
                    tell(&mut self.told, event, subscribers);
                }
                Change::Transfer(transfer) => self.transfers.push((at, transfer)),
                Change::Stock(movement) => self.stock.push((at, movement)),
                Change::Wake(wake) if places(write_set, wake.subject) => {
                    self.first_wakes.push(wake);
                }
                Change::Wake(wake) => self.wakes.push(wake),
                Change::Settle(lease) => self.settled.push((at, lease)),
                Change::Delay { lease, due_at, how } => {
                    self.delayed.push((at, lease, *due_at, how));
                }
                Change::Delivered(_) | Change::Forget(_) | Change::Record { .. } => {
                    self.others.push((at, change));
                }
            }
        }
    }
}

fn places(write_set: &WriteSet, id: OrderId) -> bool {
    write_set.placed().is_some_and(|order| order.id == id)
}

/// Those of `all` of whom no row says that it was written; `written` counts them from 1.
pub(crate) fn missing(
    all: impl Iterator<Item = At>,
    written: &HashSet<usize>,
) -> impl Iterator<Item = At> {
    let numbered = (1..).zip(all);
    numbered.filter_map(|(number, at)| (!written.contains(&number)).then_some(at))
}

/// All of them where one is there already that a statement would have added: whose is not said.
pub(crate) fn unless_there<T>(
    added: Result<T, sqlx::Error>,
    all: impl Iterator<Item = At>,
) -> Result<Vec<At>, Failure> {
    match added {
        Ok(_) => Ok(Vec::new()),
        Err(error) if is_duplicate(&error) => Ok(all.collect()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a row is there already that a statement would have added.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.kind() == ErrorKind::UniqueViolation)
}
