//! Drives one order to its end: receive, read, call, decide, commit.

use crate::drain::{Handler, Verdict};
use crate::hold::Hold;
use crate::mutant::{Mutant, planted};
use crate::providers::Provider;
use crate::watch::Watch;
use async_trait::async_trait;
use domain::fulfil::{
    Answer, Call, CallKind, Case, Decision, Inventory, Moment, Next, Refused, Rules, Then,
    answered, next,
};
use domain::trace::Span;
use domain::{
    Change, Clock, Delayed, EventId, Ids, ItemId, Lease, OrderId, Refund, Status, WriteSet,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use store::{Committed, Error, Store};
use tracing::info;

/// The handler of wakes for [`domain::Consumer::Fulfil`].
pub struct Fulfil {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<Ids>,
    /// Spreads retries.
    pub random: Box<dyn Fn() -> u64 + Send + Sync>,
    /// How orders are fulfilled here.
    pub rules: Rules,
    /// Who is asked for money.
    pub payments: Arc<dyn Provider>,
    /// Who is asked for stock.
    pub inventory: Arc<dyn Provider>,
    /// How long a lease is good for, in ms.
    pub lease_ms: i64,
    /// Who looks on.
    pub watch: Watch,
}

#[async_trait]
impl Handler for Fulfil {
    async fn handle(&self, lease: Lease) -> Verdict {
        let hold = Hold::new(&*self.store, &*self.clock, lease, self.lease_ms);
        match hold.during(self.drive(&hold)).await {
            Ok(verdict) => verdict,
            Err(Error::Corrupt(what)) => Verdict::Dead(what),
            Err(error) => {
                hold.forgive().await;
                Verdict::Retry(error.to_string())
            }
        }
    }
}

/// The work on an order that is ours, as far as we know.
struct Work<'h> {
    hold: &'h Hold<'h>,
    /// How often it was leased since something was written.
    received: u32,
    /// How far the order had come by its last commit.
    status: Status,
    /// Where it is recorded.
    span: Option<Box<dyn Span>>,
}

/// What a commit led to.
enum Written {
    /// It is written, this is the case now, and there is more to do.
    GoOn(Box<Case>),
    /// There is nothing more to do for now. Where the order or the lease was not what it had been,
    /// whoever moved it has woken somebody.
    End(Verdict),
    /// There is not enough of an item.
    OutOfStock(ItemId),
}

impl Fulfil {
    async fn drive(&self, hold: &Hold<'_>) -> Result<Verdict, Error> {
        let lease = hold.lease;
        let Some(mut case) = self.read(lease.subject).await? else {
            return Ok(Verdict::Dead("there is no such order".to_owned()));
        };
        let mut work = Work {
            hold,
            received: lease.received,
            status: case.order.status,
            span: self.watch.work(&case.order, lease.attempt),
        };
        loop {
            let version = case.order.version;
            let decision = match self.with_moment(|moment| next(&case, &self.rules, moment)) {
                Next::Rest => return self.settle(hold).await,
                Next::Write(decision) => *decision,
                Next::Ask(call) => self.ask(case, call, &work).await?,
            };
            case = match self.commit(&mut work, decision).await? {
                Written::GoOn(case) => *case,
                Written::End(verdict) => return Ok(verdict),
                Written::OutOfStock(item_id) => {
                    let read = self.read(lease.subject).await?;
                    // Nothing of ours was written: it is as it was, or somebody else's.
                    let Some(case) = read.filter(|it| it.order.version == version) else {
                        hold.let_go().await;
                        return Ok(Verdict::Done);
                    };
                    let detail = format!("there is not enough of {item_id}");
                    let answer = Answer::Refused(Refused::OutOfStock, detail.into());
                    match self
                        .commit(&mut work, self.decide(case, answer, &[]))
                        .await?
                    {
                        Written::GoOn(case) => *case,
                        Written::End(verdict) => return Ok(verdict),
                        Written::OutOfStock(_) => return Ok(Verdict::Done),
                    }
                }
            };
        }
    }

    async fn read(&self, id: OrderId) -> Result<Option<Case>, Error> {
        let Some(order) = self.store.order(id).await? else {
            return Ok(None);
        };
        // Before the first step, nothing was moved for it.
        let is_new = order.status == Status::Created && order.progress.round == 1;
        let transfers = if is_new {
            Vec::new()
        } else {
            self.store.transfers(id).await?
        };
        let refunds = if order.status == Status::Completed {
            Refund::told_by(&self.store.events(id).await?)
        } else {
            Vec::new()
        };
        Ok(Some(Case {
            order,
            transfers,
            refunds,
        }))
    }

    async fn ask(&self, case: Case, mut call: Call, work: &Work<'_>) -> Result<Decision, Error> {
        let number = case.order.progress.tries + 1;
        let place = work.span.as_ref().map(|span| span.place());
        let span = self.watch.call(place, &call, number);
        if let Some(span) = &span {
            call.trace = Some(span.place());
        }
        let begun = Instant::now();
        let answer = self.call(&case, &call).await;
        self.watch.tried(call.kind, &answer, begun.elapsed(), span);

        let holds = call.kind == CallKind::Reserve && self.rules.inventory == Inventory::Own;
        let counted = if holds && answer == Answer::Done {
            self.counted(&case).await?
        } else {
            Vec::new()
        };
        Ok(self.decide(case, answer, &counted))
    }

    async fn call(&self, case: &Case, call: &Call) -> Answer {
        let provider = if call.kind.is_payment() {
            &self.payments
        } else {
            &self.inventory
        };
        if planted(Mutant::NoVoid) && call.kind == CallKind::Void {
            return Answer::Done;
        }
        if planted(Mutant::EffectIdATry) {
            let call = Call {
                round: call.round + 1_000 * case.order.progress.tries,
                refund_id: call
                    .refund_id
                    .map(|_| EventId::new(self.ids.mint(self.clock.now()))),
                ..call.clone()
            };
            return provider.call(&call).await;
        }
        provider.call(call).await
    }

    /// The items of an order whose stock is counted.
    async fn counted(&self, case: &Case) -> Result<Vec<ItemId>, Error> {
        let items: BTreeSet<&ItemId> = case
            .order
            .lines
            .iter()
            .filter_map(|line| line.item_id.as_ref())
            .collect();
        let items: Vec<ItemId> = items.into_iter().cloned().collect();
        if items.is_empty() {
            return Ok(items);
        }
        let stock = self.store.stock(&items).await?;
        let counted = items.into_iter().zip(stock);
        Ok(counted
            .filter_map(|(item_id, stock)| stock.map(|_| item_id))
            .collect())
    }

    fn decide(&self, case: Case, answer: Answer, counted: &[ItemId]) -> Decision {
        self.with_moment(|moment| answered(case, answer, counted, &self.rules, moment))
    }

    fn with_moment<T>(&self, act: impl FnOnce(&mut Moment<'_>) -> T) -> T {
        let now = self.clock.now();
        let mut ids = || EventId::new(self.ids.mint(now));
        act(&mut Moment {
            now,
            random: (self.random)(),
            ids: &mut ids,
        })
    }

    /// Writes a decision, with what becomes of the lease.
    async fn commit(&self, work: &mut Work<'_>, decision: Decision) -> Result<Written, Error> {
        let Decision {
            mut changes,
            case,
            then,
        } = decision;
        let (lease, now) = (work.hold.lease, self.clock.now());
        if then != Then::GoOn {
            work.hold.ends();
        }
        let then = match then {
            // The order's version keeps others out; that it came before was not in vain.
            Then::GoOn => {
                if work.received > 1 {
                    changes.push(Change::Delay {
                        lease,
                        due_at: now.plus_millis(self.lease_ms),
                        how: Delayed::GoneOn,
                    });
                }
                None
            }
            Then::Wait(wait_ms, why) => {
                let due_at = now.plus_millis(wait_ms);
                changes.push(Change::Delay {
                    lease,
                    due_at,
                    how: Delayed::GivenBack(Some(why)),
                });
                Some(Verdict::Later(due_at))
            }
            Then::Rest => {
                changes.push(Change::Settle(lease));
                Some(Verdict::Done)
            }
        };
        let write_set = Arc::new(WriteSet {
            claim: None,
            changes,
        });
        match self.store.commit(Arc::clone(&write_set)).await? {
            Committed::Done => {
                work.received = 1;
                self.tell(&case, work);
                Ok(then.map_or_else(|| Written::GoOn(Box::new(case)), Written::End))
            }
            Committed::Refused(change) => Ok(match write_set.changes.get(change) {
                Some(Change::Stock(movement)) if movement.reserved > 0 => {
                    Written::OutOfStock(movement.item_id.clone())
                }
                _ => {
                    work.hold.let_go().await;
                    Written::End(Verdict::Done)
                }
            }),
            Committed::Seen(_) => Ok(Written::End(Verdict::Done)),
        }
    }

    /// Says of an order that it came to its end, or needs a person.
    fn tell(&self, case: &Case, work: &mut Work<'_>) {
        let order = &case.order;
        let has_moved = std::mem::replace(&mut work.status, order.status) != order.status;
        let ended = order.progress.step.is_none() && order.status != Status::Created;
        if !ended && order.status != Status::NeedsReview {
            return;
        }
        let trace_id = order.trace.map(|it| tracing::field::display(it.name()));
        info!(order_id = %order.id, status = order.status.as_str(), trace_id, "Order {} is {}", order.id, order.status.as_str());
        if has_moved {
            self.watch.finished(order.status);
        }
    }

    async fn settle(&self, hold: &Hold<'_>) -> Result<Verdict, Error> {
        hold.ends();
        let write_set = WriteSet {
            claim: None,
            changes: vec![Change::Settle(hold.lease)],
        };
        if self.store.commit(Arc::new(write_set)).await? != Committed::Done {
            // There is more to do, or somebody else has it.
            hold.let_go().await;
        }
        Ok(Verdict::Done)
    }
}
