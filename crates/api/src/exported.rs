//! An order as it is exported: with its events, and its movements of money and stock.

use crate::cloud_event::cloud_event;
use crate::renderers::{OrderBody, display};
use domain::transfer::TransferKind;
use domain::{Event, Order, Timestamp, Transfer};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Exported<'a> {
    order: OrderBody<'a>,
    events: Vec<Box<RawValue>>,
    transfers: Vec<TransferBody<'a>>,
}

#[derive(Serialize)]
struct TransferBody<'a> {
    number: u32,
    kind: &'static str,
    /// Which pending one it resolves.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolves: Option<u32>,
    asset: String,
    debit_account: &'static str,
    credit_account: &'static str,
    amount: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(serialize_with = "display")]
    occurred_at: Timestamp,
}

/// The JSON of an order in `/v1` words, of its events as others are told them, and of its transfers.
#[must_use]
pub fn exported(order: &Order, events: &[Event], transfers: &[Transfer]) -> String {
    let event = |event| {
        let told = cloud_event(event, Some(order));
        RawValue::from_string(told).expect("it is JSON")
    };
    let shown = Exported {
        order: OrderBody::of(order),
        events: events.iter().map(event).collect(),
        transfers: transfers.iter().map(transfer).collect(),
    };
    serde_json::to_string(&shown).expect("texts and numbers can always be written")
}

fn transfer(transfer: &Transfer) -> TransferBody<'_> {
    let (kind, resolves) = match transfer.kind {
        TransferKind::Pending => ("pending", None),
        TransferKind::Posted(pending) => ("posted", Some(pending)),
        TransferKind::Voided(pending) => ("voided", Some(pending)),
        TransferKind::Transfer => ("transfer", None),
        TransferKind::Reversal => ("reversal", None),
    };
    TransferBody {
        number: transfer.number,
        kind,
        resolves,
        asset: transfer.asset.name(),
        debit_account: transfer.debit.as_str(),
        credit_account: transfer.credit.as_str(),
        amount: transfer.amount,
        reason: transfer.reason.as_deref(),
        occurred_at: transfer.occurred_at,
    }
}
