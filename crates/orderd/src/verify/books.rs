//! The books of the simulated services against the orders: one charge for what was completed, none
//! for what was not, and nothing left authorised or reserved.

use super::{PRINTED_MAX, Verdict};
use domain::refund::RefundState;
use domain::{EventId, Money, Order, OrderId, Refund, Status};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;
use store::Store;
use worker::providers::books::{self, Charge, Entries, Held};

/// An order that has ended, as far as its charges go.
pub(super) struct Ended {
    status: Status,
    total: Money,
    refunded: Money,
}

/// `orders` were read before the books are: what has ended stays so, and its charges are in the
/// books by then.
pub(super) async fn verify(
    store: &dyn Store,
    orders: &HashMap<OrderId, Ended>,
    path: &Path,
) -> anyhow::Result<Verdict> {
    let started = Instant::now();
    let Entries {
        charges: by_round,
        refunds,
    } = books::read(path)?;
    let mut charges: HashMap<OrderId, Vec<Charge>> = HashMap::new();
    for ((order_id, _round), charge) in by_round {
        charges.entry(order_id).or_default().push(charge);
    }
    let mut problems: Vec<String> = orders
        .iter()
        .flat_map(|(id, order)| {
            let charges = charges.get(id).map_or(&[][..], Vec::as_slice);
            of_order(order, charges).map(move |problem| format!("order {id}: {problem}"))
        })
        .collect();
    problems.extend(wrong_refunds(store, path, orders, refunds).await?);
    problems.sort();
    let findings_count = problems.len();
    problems.truncate(PRINTED_MAX);
    Ok(Verdict {
        check: "payments_agree",
        words: "the payments agree with the orders",
        findings_count,
        duration_ms: started.elapsed().as_millis(),
        findings: problems,
    })
}

/// What the books can be compared with, where an order has ended and was to be fulfilled.
pub(super) fn ended(order: &Order) -> Option<(OrderId, Ended)> {
    let ended = matches!(
        order.status,
        Status::Completed | Status::Refunded | Status::Failed | Status::Cancelled
    );
    let seen = Ended {
        status: order.status,
        total: order.total_minor,
        refunded: order.refunded_minor,
    };
    (order.fulfil && ended).then_some((order.id, seen))
}

/// What was given back of each order, by refund.
type PaidOut = HashMap<OrderId, BTreeMap<EventId, i64>>;

/// What is wrong with the refunds.
async fn wrong_refunds(
    store: &dyn Store,
    path: &Path,
    orders: &HashMap<OrderId, Ended>,
    paid_out: PaidOut,
) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    for (id, order) in orders {
        if paid_out.contains_key(id) || order.refunded != Money::ZERO {
            told.push((*id, Refund::told_by(&store.events(*id).await?)));
        }
    }
    let problems = |paid_out: &PaidOut| -> Vec<String> {
        let nothing = BTreeMap::new();
        let of_order = |(id, told): &(OrderId, Vec<Refund>)| {
            let id = *id;
            let wrong = of_refunds(told, paid_out.get(&id).unwrap_or(&nothing));
            wrong.map(move |problem| format!("order {id}: {problem}"))
        };
        told.iter().flat_map(of_order).collect()
    };
    let mut found = problems(&paid_out);
    if !found.is_empty() {
        // A refund that came about between the two looks is wrong in one of them only.
        let later = problems(&books::read(path)?.refunds);
        found.retain(|problem| later.contains(problem));
    }
    Ok(found)
}

/// What is wrong with what was given back of an order, by refund.
fn of_refunds(
    told: &[Refund],
    paid_out: &BTreeMap<EventId, i64>,
) -> impl Iterator<Item = String> + use<> {
    let mut problems = Vec::new();
    for refund in told {
        let paid = paid_out.get(&refund.id).copied();
        let amount = refund.amount.as_minor();
        let fits = match refund.state {
            RefundState::Pending => paid.is_none_or(|paid| paid == amount),
            RefundState::Succeeded => paid == Some(amount),
            RefundState::Failed => paid.is_none(),
        };
        if !fits {
            let (id, state) = (refund.id, refund.state.as_str());
            let paid = paid.unwrap_or_default();
            problems.push(format!(
                "refund {id} of {amount} {state}, {paid} was given back"
            ));
        }
    }
    let known = |id: &EventId| told.iter().any(|refund| refund.id == *id);
    let unknown = paid_out.iter().filter(|(id, _)| !known(id));
    problems.extend(
        unknown.map(|(id, paid)| {
            format!("{paid} was given back as refund {id}, which nobody asked for")
        }),
    );
    problems.into_iter()
}

/// What is wrong with the charges of an order that has ended.
fn of_order(order: &Ended, charges: &[Charge]) -> impl Iterator<Item = String> + use<> {
    let paid = matches!(order.status, Status::Completed | Status::Refunded);
    let captured = charges.iter().filter(|charge| charge.captured).count();
    let mut problems = Vec::new();
    if captured != usize::from(paid) {
        let status = order.status.as_str();
        problems.push(format!("it is {status}, and was captured {captured} times"));
    }
    for charge in charges {
        let amount = charge.authorised.unwrap_or_default();
        if charge.captured && charge.voided {
            problems.push("it was captured, and voided as well".to_owned());
        }
        if charge.captured && amount != order.total.as_minor() {
            problems.push(format!(
                "{amount} was captured, it comes to {}",
                order.total.as_minor()
            ));
        }
        let stock_fits = match charge.stock {
            Held::Nothing => true,
            Held::Reserved => false,
            Held::Committed => paid && charge.captured,
            Held::Released => !charge.captured,
        };
        if !stock_fits {
            problems.push(format!("it has ended, and its stock is {:?}", charge.stock));
        }
        if charge.authorised.is_some() && !charge.captured && !charge.voided {
            problems.push("it has ended, and is still authorised".to_owned());
        }
    }
    problems.into_iter()
}
