//! Many write sets in one transaction, a statement for all rows of a kind.
//!
//! Nobody's guard is answered for here: where one fails, it is said whose, and the caller puts that
//! write set into a transaction of its own.

use super::Failure;
use super::apply::{self, Outcome};
use super::bulk::Rows;
use super::rows::{Columns, Id, number};
use domain::idempotency::{Body, Scope};
use domain::transfer::Subject;
use domain::{Change, Claim, ItemId, OrderId, RecordId, Transfer, WriteSet};
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashSet};

/// What became of a group in the open transaction.
pub(super) enum Grouped {
    /// All of it is in there; what became of each. `announced`: an event wakes somebody.
    Done {
        outcomes: Vec<Outcome>,
        announced: bool,
    },
    /// It has to be rolled back, and tried without these.
    Without(BTreeSet<usize>),
}

/// Puts a group of write sets into the transaction.
pub(super) async fn apply(
    to: &mut PgConnection,
    write_sets: &[&WriteSet],
) -> Result<Grouped, Failure> {
    let subscribers = apply::subscribers(to, write_sets).await?;
    let announced = !subscribers.is_empty();
    let mut outcomes: Vec<Option<Outcome>> = write_sets.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..write_sets.len()).collect();
    while !left.is_empty() {
        let (mut round, rest) = disjoint(write_sets, left);
        for refused in take(to, write_sets, &round).await? {
            let claim = write_sets[refused].claim.as_ref();
            let Some(claim) = claim else { continue };
            let seen = apply::seen(to, claim).await?;
            if seen.created_at < claim.forget_before {
                return Ok(Grouped::Without(BTreeSet::from([refused])));
            }
            outcomes[refused] = Some(Outcome::Seen(seen));
        }
        round.retain(|number| outcomes[*number].is_none());
        let mut rows = Rows::default();
        for number in &round {
            rows.gather(*number, write_sets[*number], &subscribers);
        }
        let without = rows.write(to, write_sets).await?;
        if !without.is_empty() {
            return Ok(Grouped::Without(without));
        }
        for number in round {
            outcomes[number] = Some(Outcome::Done);
        }
        left = rest;
    }
    Ok(Grouped::Done {
        outcomes: outcomes.into_iter().flatten().collect(),
        announced,
    })
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

/// Takes the keys of a round; those whose key is taken.
#[expect(clippy::too_many_lines, reason = "it is one statement and its columns")]
async fn take(
    to: &mut PgConnection,
    write_sets: &[&WriteSet],
    round: &[usize],
) -> Result<Vec<usize>, Failure> {
    let claims: Vec<(usize, &Claim)> = round
        .iter()
        .filter_map(|number| Some((*number, write_sets[*number].claim.as_ref()?)))
        .collect();
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let each = || claims.iter().map(|(_, claim)| *claim);
    let stored = |claim: &Claim| match &claim.reply.body {
        Body::Rendered(renderer) => (Some(i64::from(*renderer)), None),
        Body::Stored(bytes) => (None, Some(bytes.to_vec())),
    };
    let taken = sqlx::query(
        "insert into key_rows (principal, operation, key, scheme, digest, status, renderer, reply,
           order_id, created_at)
         select principal, operation, key, scheme, digest, status, renderer, reply, order_id,
           created_at
         from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[],
           $6::bigint[], $7::bigint[], $8::bytea[], $9::uuid[], $10::bigint[])
           as new (principal, operation, key, scheme, digest, status, renderer, reply, order_id,
             created_at)
         order by principal, operation, key
         on conflict (principal, operation, key) do update set scheme = excluded.scheme,
           digest = excluded.digest, status = excluded.status, renderer = excluded.renderer,
           reply = excluded.reply, order_id = excluded.order_id, created_at = excluded.created_at
         where key_rows.created_at < $11
         returning principal, operation, key",
    )
    .bind(
        each()
            .map(|it| it.scope.principal.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        each()
            .map(|it| i64::from(it.scope.operation.code()))
            .collect::<Vec<_>>(),
    )
    .bind(each().map(|it| it.scope.key.as_str()).collect::<Vec<_>>())
    .bind(
        each()
            .map(|it| i64::from(it.fingerprint.scheme))
            .collect::<Vec<_>>(),
    )
    .bind(
        each()
            .map(|it| it.fingerprint.digest.to_vec())
            .collect::<Vec<_>>(),
    )
    .bind(
        each()
            .map(|it| i64::from(it.reply.status))
            .collect::<Vec<_>>(),
    )
    .bind(each().map(|it| stored(it).0).collect::<Vec<_>>())
    .bind(each().map(|it| stored(it).1).collect::<Vec<_>>())
    .bind(
        each()
            .map(|it| it.order_id.map(|id| Id(id.as_uuid())))
            .collect::<Vec<_>>(),
    )
    .bind(
        each()
            .map(|it| it.created_at.as_millis())
            .collect::<Vec<_>>(),
    )
    // The strictest of them: a key that only another may take over is looked at alone.
    .bind(each().map(|it| it.forget_before.as_millis()).min())
    .fetch_all(to)
    .await?;
    let taken: HashSet<(&str, i64, &str)> = taken
        .iter()
        .map(|row| {
            let text = |column| row.text(column).map(Option::unwrap_or_default);
            Ok((text(0)?, number(row, 1, "operation")?, text(2)?))
        })
        .collect::<Result<_, Failure>>()?;
    let is_free = |claim: &Claim| {
        let operation = i64::from(claim.scope.operation.code());
        let scope = &claim.scope;
        taken.contains(&(scope.principal.as_str(), operation, scope.key.as_str()))
    };
    let refused = claims.iter().filter(|(_, claim)| !is_free(claim));
    Ok(refused.map(|(number, _)| *number).collect())
}
