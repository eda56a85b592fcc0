//! Many write sets in one transaction.
//!
//! Nobody's guard is answered for among others: where one fails, it is said whose, and the caller
//! puts that write set into a transaction of its own.

use super::rows::Rows;
use super::{Engine, Failure};
use crate::write_sets::Subscriber;
use crate::{Committed, Error};
use domain::idempotency::Scope;
use domain::transfer::Subject;
use domain::{Change, Claim, ItemId, OrderId, RecordId, Transfer, WriteSet};
use std::collections::{BTreeMap, HashSet};

/// What became of a group in the open transaction.
pub(super) enum Grouped {
    /// All of it is in there; what becomes of each. `announced`: an event wakes somebody.
    All {
        outcomes: Vec<Committed>,
        announced: bool,
    },
    /// It has to be rolled back: the guards of these changes failed, the first of each write set.
    Without(BTreeMap<usize, usize>),
}

/// What is expected of the keys of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// That each is new, as nearly all are: one that is not fails the group.
    New,
    /// Nothing: each is looked at, which takes more time.
    Any,
}

/// Puts a group of write sets into the transaction.
pub(super) async fn apply<E: Engine>(
    to: &mut E::Connection,
    write_sets: &[&WriteSet],
    keys: Keys,
) -> Result<Grouped, Failure> {
    let subscribers = subscribers::<E>(to, write_sets).await?;
    let announced = !subscribers.is_empty();
    let mut outcomes: Vec<Option<Committed>> = vec![None; write_sets.len()];
    let mut left: Vec<usize> = (0..write_sets.len()).collect();
    while !left.is_empty() {
        let (mut round, rest) = disjoint(write_sets, left);
        left = rest;
        for (number, claim) in refused::<E>(to, write_sets, &round, keys).await? {
            let seen = E::seen(to, &claim.scope).await?;
            let seen = seen.ok_or_else(|| Error::Unavailable("the key was let go of".into()))?;
            if seen.created_at < claim.forget_before && write_sets.len() > 1 {
                return Ok(Grouped::Without(BTreeMap::from([(number, 0)])));
            }
            outcomes[number] = Some(Committed::Seen(Box::new(seen)));
        }
        round.retain(|number| outcomes[*number].is_none());
        let mut rows = Rows::default();
        for number in &round {
            rows.gather(*number, write_sets[*number], &subscribers);
        }
        let wrong = write::<E>(to, &rows).await?;
        if !wrong.is_empty() {
            return Ok(Grouped::Without(wrong));
        }
        for number in round {
            outcomes[number] = Some(Committed::Done);
        }
    }
    Ok(Grouped::All {
        outcomes: outcomes.into_iter().flatten().collect(),
        announced,
    })
}

/// Every endpoint that is told of something, where there is an event to tell.
async fn subscribers<E: Engine>(
    from: &mut E::Connection,
    write_sets: &[&WriteSet],
) -> Result<Vec<Subscriber>, Failure> {
    let tells = |change: &Change| matches!(change, Change::Event(_));
    if !write_sets.iter().any(|set| set.changes.iter().any(tells)) {
        return Ok(Vec::new());
    }
    let endpoints = E::endpoints(from).await?;
    let read = |(id, body): &(Box<str>, Box<[u8]>)| Subscriber::read(id, body);
    Ok(endpoints.iter().filter_map(read).collect())
}

/// Takes the keys of a round; those whose key is taken.
async fn refused<'w, E: Engine>(
    to: &mut E::Connection,
    write_sets: &[&'w WriteSet],
    round: &[usize],
    keys: Keys,
) -> Result<Vec<(usize, &'w Claim)>, Failure> {
    let with_key = |number: &usize| Some((*number, write_sets[*number].claim.as_ref()?));
    let numbered: Vec<(usize, &Claim)> = round.iter().filter_map(with_key).collect();
    if numbered.is_empty() {
        return Ok(Vec::new());
    }
    let claims: Vec<&Claim> = numbered.iter().map(|(_, claim)| *claim).collect();
    if keys == Keys::New {
        E::take_new(to, &claims).await?;
        return Ok(Vec::new());
    }
    let refused = E::take(to, &claims).await?;
    Ok(refused.into_iter().map(|at| numbered[at]).collect())
}

/// Writes what a round changes; the first change of each write set whose guard failed.
async fn write<E: Engine>(
    to: &mut E::Connection,
    rows: &Rows<'_>,
) -> Result<BTreeMap<usize, usize>, Failure> {
    let mut wrong = rows.wrong.clone();
    for (at, change) in &rows.others {
        if !E::make(to, change).await? {
            wrong.insert(*at);
        }
    }
    // Last, since of some engines nothing more can be asked after a row was refused.
    wrong.extend(E::write(to, rows).await?);
    let last_first = wrong.into_iter().rev();
    Ok(last_first.map(|at| (at.write_set, at.change)).collect())
}

/// The row that a write set touches, as far as two of them may touch the same one.
#[derive(PartialEq, Eq, Hash)]
enum Touched<'w> {
    Key(&'w Scope),
    Order(OrderId),
    Item(&'w ItemId),
    Record(&'w RecordId),
}

/// Of `left`, those that touch no row twice, and the others.
fn disjoint(write_sets: &[&WriteSet], left: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let mut all = HashSet::new();
    left.into_iter().partition(|number| {
        let own = touched(write_sets[*number]);
        let free = own.iter().all(|row| !all.contains(row));
        // Of two that come together the first goes first.
        all.extend(own);
        free
    })
}

fn touched(write_set: &WriteSet) -> HashSet<Touched<'_>> {
    let of_change = |change| match change {
        &Change::Place(ref order, _) | &Change::Order { now: ref order, .. } => {
            Some(Touched::Order(order.id))
        }
        Change::Event(event) => Some(Touched::Order(event.order_id)),
        Change::Transfer(Transfer {
            subject: Subject::Order(id),
            ..
        }) => Some(Touched::Order(*id)),
        Change::Stock(movement) => Some(Touched::Item(&movement.item_id)),
        Change::Wake(wake) => Some(Touched::Order(wake.subject)),
        Change::Settle(lease) | Change::Delay { lease, .. } => Some(Touched::Order(lease.subject)),
        Change::Record { id, .. } => Some(Touched::Record(id)),
        Change::Transfer(_) | Change::Delivered(_) | Change::Forget(_) => None,
    };
    let key = write_set
        .claim
        .as_ref()
        .map(|claim| Touched::Key(&claim.scope));
    let changes = write_set.changes.iter().filter_map(of_change);
    key.into_iter().chain(changes).collect()
}
