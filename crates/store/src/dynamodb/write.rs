//! A write set as one transaction, and what becomes of it.

use super::Db;
use super::action::{Action, NewKey, Write};
use super::call::{TRIES, is_busy, is_lost, pause};
use super::items::{self, Item, bytes, number, time};
use super::outbox;
use super::read::{record_key, stock_key};
use crate::aws::words;
use crate::mutant::{Mutant, planted};
use crate::write_sets::{Subscriber, Told, Whom, events_of, in_sequence, moves};
use crate::{Committed, Error};
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use domain::stock::Movement;
use domain::{Change, Claim, Order, Record, RecordId, WriteSet};
use tracing::warn;

/// The most actions of one transaction.
const ACTIONS_MAX: usize = 100;

/// Whose guard an action holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// The key's.
    Claim,
    /// That of the change with this number.
    Change(usize),
    /// None's: what it was made from was read, is another by now, and is read again.
    Read,
}

/// What is sent, and whose guard is where.
#[derive(Default)]
struct Plan {
    actions: Vec<TransactWriteItem>,
    guards: Vec<Guard>,
}

impl Plan {
    fn add(&mut self, guard: Guard, action: Action) -> Result<(), Error> {
        self.actions.push(action.in_transaction()?);
        self.guards.push(guard);
        Ok(())
    }
}

/// What a try came to.
enum Tried {
    Ended(Committed),
    /// Nothing was written, and it may be a moment later.
    Again(String),
}

impl Db {
    /// Every endpoint that is told of something, where there is an event to tell.
    pub(super) async fn subscribers(&self, write_set: &WriteSet) -> Result<Vec<Subscriber>, Error> {
        let tells = |change: &Change| matches!(change, Change::Event(_));
        if !write_set.changes.iter().any(tells) {
            return Ok(Vec::new());
        }
        let endpoints = self.endpoints().await?;
        let read = |(id, record): &(Box<str>, Record)| Subscriber::read(id, &record.body);
        Ok(endpoints.iter().filter_map(read).collect())
    }

    /// Applies all of a write set, or nothing of it.
    pub(super) async fn commit(
        &self,
        write_set: &WriteSet,
        subscribers: &[Subscriber],
    ) -> Result<Committed, Error> {
        if let Some(number) = out_of_sequence(write_set) {
            return Ok(Committed::Refused(number));
        }
        let told = outbox::told(write_set, subscribers);
        let mut tries = 1;
        let committed = loop {
            let plan = self.plan(write_set, &told).await?;
            match self.send(write_set, plan).await? {
                Tried::Ended(committed) => break committed,
                Tried::Again(_) if tries < TRIES => {
                    pause(tries).await;
                    tries += 1;
                }
                Tried::Again(why) => return Err(Error::Unavailable(why.into())),
            }
        };
        if committed == Committed::Done {
            for change in &write_set.changes {
                if let Change::Forget(endpoint_id) = change
                    && let Err(error) = self.forget(*endpoint_id).await
                {
                    // Nobody asks for it any more.
                    warn!(source = ?error, "What was kept for webhook {endpoint_id} stays: {error}");
                }
            }
        }
        Ok(committed)
    }

    async fn plan(&self, write_set: &WriteSet, told: &[(Whom, Told)]) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        if let Some(claim) = &write_set.claim {
            if planted(Mutant::SplitTransaction) {
                let alone = self.take(claim).in_transaction()?;
                let alone = self.client.transact_write_items().transact_items(alone);
                drop(alone.send().await);
            } else {
                plan.add(Guard::Claim, self.take(claim))?;
            }
        }
        for (number, change) in write_set.changes.iter().enumerate() {
            self.add(&mut plan, Guard::Change(number), write_set, change)
                .await?;
        }
        let (with, before) = told.split_at(told.len().min(ACTIONS_MAX - plan.actions.len()));
        for told in with {
            plan.add(Guard::Read, self.tell(told))?;
        }
        // More than a transaction takes: who is woken for what never came finds nothing to tell.
        for told in before {
            self.tell(told).update(&self.client).await?;
        }
        Ok(plan)
    }

    async fn add(
        &self,
        plan: &mut Plan,
        guard: Guard,
        write_set: &WriteSet,
        change: &Change,
    ) -> Result<(), Error> {
        let journal = |item| Action::new(&self.tables.journal, item, NewKey::Subject);
        match change {
            Change::Place(order, entry) => {
                let placed = items::order(order);
                plan.add(
                    guard,
                    Action::new(&self.tables.orders, placed, NewKey::OrderId),
                )?;
                plan.add(guard, journal(items::entry(order, entry)))
            }
            Change::Order { was, now } => plan.add(guard, self.move_on(write_set, *was, now)),
            Change::Event(event) => plan.add(guard, journal(items::event(event))),
            Change::Transfer(transfer) => plan.add(guard, journal(items::transfer(transfer))),
            Change::Stock(movement) => plan.add(guard, self.move_stock(movement)),
            Change::Wake(wake) => {
                let is_first = write_set.placed().is_some_and(|it| it.id == wake.subject);
                let woken = if is_first {
                    None
                } else {
                    self.woken(wake).await?
                };
                plan.add(Guard::Read, self.wake(wake, woken)?)
            }
            Change::Settle(lease) => plan.add(guard, self.settle(lease)),
            Change::Delay { lease, due_at, how } => {
                plan.add(guard, self.delay(lease, *due_at, how))
            }
            Change::Delivered(delivery) => {
                let log = Action {
                    table: self.tables.records.clone(),
                    write: Write::Put(items::delivery(delivery)),
                    condition: None,
                    values: Vec::new(),
                };
                plan.add(guard, log)
            }
            // It may be more than a transaction takes, and follows it.
            Change::Forget(_) => Ok(()),
            Change::Record { id, was, body } => {
                plan.add(guard, self.change_record(id, *was, body.as_deref()))
            }
        }
    }

    fn take(&self, claim: &Claim) -> Action {
        Action {
            table: self.tables.keys.clone(),
            write: Write::Put(items::key(claim)),
            condition: Some("attribute_not_exists(#scope) or #created_at < :forget_before"),
            values: vec![(":forget_before", time(claim.forget_before))],
        }
    }

    fn move_on(&self, write_set: &WriteSet, was: u32, now: &Order) -> Action {
        let events = events_of(write_set, now);
        let mut item = items::order(now);
        let mut values = vec![(":was", number(was))];
        let mut condition = "#version = :was";
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            condition = "#version = :was and #newest_sequence = :before";
            values.push((":before", number(first.sequence - 1)));
            item.insert("newest_sequence".to_owned(), number(last.sequence));
        }
        Action {
            table: self.tables.orders.clone(),
            write: Write::Put(item),
            condition: Some(condition),
            values,
        }
    }

    /// Conditions do no arithmetic, so what is available is kept beside what it follows from.
    pub(super) fn move_stock(&self, movement: &Movement) -> Action {
        let Movement {
            on_hand,
            reserved,
            was,
            ..
        } = *movement;
        let available = on_hand - reserved;
        let mut values = vec![
            (":on_hand", number(on_hand)),
            (":reserved", number(reserved)),
            (":available", number(available)),
            (":needed", number(-available)),
            (":held", number(-reserved)),
        ];
        let condition = if let Some(was) = was {
            values.push((":was", number(was.cast_signed())));
            "#on_hand = :was and #available >= :needed and #reserved >= :held"
        } else if on_hand >= 0 && reserved == 0 {
            "attribute_not_exists(#kind) or (#available >= :needed and #reserved >= :held)"
        } else {
            "#available >= :needed and #reserved >= :held"
        };
        let add = "add #on_hand :on_hand, #reserved :reserved, #available :available";
        Action {
            table: self.tables.records.clone(),
            write: Write::Update(stock_key(&movement.item_id), add),
            condition: Some(condition),
            values,
        }
    }

    fn change_record(&self, id: &RecordId, was: u32, body: Option<&[u8]>) -> Action {
        let mut item: Item = record_key(id);
        if let Some(body) = body {
            item.insert("version".to_owned(), number(was + 1));
            item.insert("body".to_owned(), bytes(body));
        }
        if was == 0 && body.is_some() {
            return Action::new(&self.tables.records, item, NewKey::Kind);
        }
        Action {
            table: self.tables.records.clone(),
            write: match body {
                Some(_) => Write::Put(item),
                None => Write::Delete(item),
            },
            condition: Some("#version = :was"),
            values: vec![(":was", number(was))],
        }
    }

    async fn send(&self, write_set: &WriteSet, plan: Plan) -> Result<Tried, Error> {
        if plan.actions.is_empty() {
            return Ok(Tried::Ended(Committed::Done));
        }
        let transaction = self.client.transact_write_items();
        let sent = transaction.set_transact_items(Some(plan.actions)).send();
        let Err(error) = sent.await else {
            return Ok(Tried::Ended(Committed::Done));
        };
        if is_lost(&error) {
            return self.fate(write_set, words(&error)).await;
        }
        if is_busy(&error) {
            return Ok(Tried::Again(words(&error)));
        }
        let why = words(&error);
        let cancelled = error.into_service_error();
        let Some(reasons) = reasons(&cancelled) else {
            return Err(Error::Unavailable(why.into()));
        };
        let failed = |(guard, reason): (&Guard, &CancellationReason)| {
            (reason.code() == Some("ConditionalCheckFailed")).then_some(*guard)
        };
        match plan.guards.iter().zip(reasons).find_map(failed) {
            Some(Guard::Claim) => self.remembered(write_set).await,
            Some(Guard::Change(number)) => Ok(Tried::Ended(Committed::Refused(number))),
            Some(Guard::Read) => Ok(Tried::Again(why)),
            None if reasons.iter().all(may_pass) => Ok(Tried::Again(why)),
            None => Err(Error::Unavailable(why.into())),
        }
    }

    /// After there was no answer: the order that a write set places is looked for.
    async fn fate(&self, write_set: &WriteSet, why: String) -> Result<Tried, Error> {
        if let Some(order) = write_set.placed()
            && let Ok(Some(_)) = self.order(order.id).await
        {
            return Ok(Tried::Ended(Committed::Done));
        }
        Err(Error::Unknown(why.into()))
    }

    /// The key was taken: for what, unless it was let go of meanwhile.
    async fn remembered(&self, write_set: &WriteSet) -> Result<Tried, Error> {
        let Some(claim) = &write_set.claim else {
            return Err(Error::Corrupt(
                "a key was taken that nobody asked for".into(),
            ));
        };
        Ok(match self.seen(&claim.scope).await? {
            Some(seen) if seen.created_at >= claim.forget_before => {
                Tried::Ended(Committed::Seen(Box::new(seen)))
            }
            _ => Tried::Again("the key was let go of".to_owned()),
        })
    }
}

fn reasons(
    error: &aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError,
) -> Option<&[CancellationReason]> {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    }
}

/// Whether an action was not done for want of time alone.
fn may_pass(reason: &CancellationReason) -> bool {
    matches!(
        reason.code(),
        None | Some(
            "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
        )
    )
}

/// The first change whose guard fails without a look.
fn out_of_sequence(write_set: &WriteSet) -> Option<usize> {
    write_set.changes.iter().position(|change| match change {
        Change::Order { now, .. } => !in_sequence(&events_of(write_set, now)),
        Change::Event(event) => event.sequence > 1 && !moves(write_set, event),
        _ => false,
    })
}
