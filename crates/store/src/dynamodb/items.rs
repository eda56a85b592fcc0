//! Between items and the domain's values. An item is read by the names of its attributes, as rows
//! of SQL are by the places of their columns.

use crate::Error;
use crate::rows::{
    Columns, account_code, aim_code, corrupt, event_code, status_code, step_code, transfer_code,
    write_lines,
};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::idempotency::{Body, Scope};
use domain::order::Failure;
use domain::text::Label;
use domain::transfer::{Asset, Subject};
use domain::{
    Claim, Consumer, CustomerId, Delivery, Event, LedgerEntry, Name, Order, Timestamp, Transfer,
};
use std::collections::HashMap;
use uuid::Uuid;

use super::tables::{EXPIRES_AT, SHARDS};

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The attributes of an order, in the order in which [`crate::rows::order`] reads them.
pub(super) const ORDER: [&str; 25] = [
    "order_id",
    "status_code",
    "version",
    "customer_id",
    "customer_name",
    "currency",
    "total_minor",
    "captured_minor",
    "refunded_minor",
    "contract",
    "fulfil",
    "label",
    "metadata",
    "created_at",
    "updated_at",
    "hidden_at",
    "newest_sequence",
    "round",
    "step",
    "tries",
    "aim",
    "deadline_at",
    "failure",
    "trace",
    "lines",
];
/// Of an event.
pub(super) const EVENT: [&str; 7] = [
    "event_id",
    "sequence",
    "kind",
    "payload",
    "occurred_at",
    "traceparent",
    "subject",
];
/// Of a transfer.
pub(super) const TRANSFER: [&str; 10] = [
    "number",
    "kind",
    "pending_number",
    "item_id",
    "debit",
    "credit",
    "amount",
    "reason",
    "occurred_at",
    "currency",
];
/// Of an idempotency record.
pub(super) const KEY: [&str; 7] = [
    "scheme",
    "digest",
    "status",
    "renderer",
    "reply",
    "created_at",
    "order_id",
];
/// Of a try to deliver.
pub(super) const DELIVERY: [&str; 8] = [
    "id",
    "event_id",
    "event_kind",
    "order_id",
    "number",
    "status",
    "error",
    "duration_ms",
];

/// An item, read by place.
pub(super) struct Row<'i> {
    pub(super) item: &'i Item,
    pub(super) names: &'static [&'static str],
}

impl Row<'_> {
    fn value(&self, column: usize) -> Result<Option<&AttributeValue>, Error> {
        let name = self.names.get(column).ok_or_else(|| corrupt("attribute"))?;
        Ok(self.item.get(*name))
    }
}

impl Columns for Row<'_> {
    const ID: usize = 1;

    fn id(&self, column: usize) -> Result<Uuid, Error> {
        let text = self.text(column)?.unwrap_or_default();
        Uuid::parse_str(text).map_err(|_| corrupt("id"))
    }

    fn whole(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.value(column)? {
            None => Ok(None),
            Some(AttributeValue::N(number)) => {
                number.parse().map(Some).map_err(|_| corrupt("number"))
            }
            Some(AttributeValue::Bool(is)) => Ok(Some(i64::from(*is))),
            Some(_) => Err(corrupt("number")),
        }
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.value(column)? {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(corrupt("text")),
        }
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        match self.value(column)? {
            None => Ok(None),
            Some(AttributeValue::B(bytes)) => Ok(Some(bytes.as_ref())),
            Some(_) => Err(corrupt("bytes")),
        }
    }
}

/// Text as a value.
pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A whole number as a value.
pub(super) fn number(number: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// Bytes as a value.
pub(super) fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// An item of attributes, without those that are not there.
pub(super) fn item<const COUNT: usize>(
    attributes: [(&str, Option<AttributeValue>); COUNT],
) -> Item {
    let there = |(name, value): (&str, Option<AttributeValue>)| Some((name.to_owned(), value?));
    attributes.into_iter().filter_map(there).collect()
}

/// The partition of an index in which something with this id is.
pub(super) fn shard_of(id: Uuid) -> u8 {
    let [.., last] = *id.as_bytes();
    last % SHARDS
}

fn shard(id: Uuid) -> AttributeValue {
    number(shard_of(id))
}

/// An order as an item.
pub(super) fn order(order: &Order) -> Item {
    let progress = &order.progress;
    let failure = order.failure.as_ref().map(Failure::to_json);
    item([
        ("order_id", Some(text(order.id.to_string()))),
        ("shard", Some(shard(order.id.as_uuid()))),
        // For people.
        ("status", Some(text(order.status.as_str()))),
        ("status_code", Some(number(status_code(order.status)))),
        ("version", Some(number(order.version))),
        (
            "customer_id",
            order.customer_id.as_ref().map(CustomerId::as_str).map(text),
        ),
        (
            "customer_name",
            order.customer_name.as_ref().map(Name::as_str).map(text),
        ),
        ("currency", Some(text(order.currency.as_str()))),
        ("total_minor", Some(number(order.total_minor.as_minor()))),
        (
            "captured_minor",
            Some(number(order.captured_minor.as_minor())),
        ),
        (
            "refunded_minor",
            Some(number(order.refunded_minor.as_minor())),
        ),
        ("contract", Some(number(order.contract.0))),
        ("fulfil", Some(AttributeValue::Bool(order.fulfil))),
        ("label", order.label.as_ref().map(Label::as_str).map(text)),
        ("metadata", order.metadata.as_deref().map(text)),
        ("created_at", Some(time(order.created_at))),
        ("updated_at", Some(time(order.updated_at))),
        ("hidden_at", order.hidden_at.map(time)),
        ("newest_sequence", Some(number(order.newest_sequence))),
        ("round", Some(number(progress.round))),
        ("step", progress.step.map(step_code).map(number)),
        ("tries", Some(number(progress.tries))),
        ("aim", aim_code(progress.aim).map(number)),
        ("deadline_at", progress.deadline_at.map(time)),
        ("failure", failure.map(|failure| text(failure.to_string()))),
        ("trace", order.trace.map(|trace| text(trace.to_string()))),
        ("lines", Some(text(write_lines(&order.lines)))),
    ])
}

/// A ledger entry as an item.
pub(super) fn entry(order: &Order, entry: &LedgerEntry) -> Item {
    item([
        ("subject", Some(text(order.id.to_string()))),
        ("entry", Some(text(LEDGER))),
        ("quantity", Some(number(entry.quantity.cast_signed()))),
        ("total_minor", Some(number(entry.total_minor.as_minor()))),
        ("currency", Some(text(entry.currency.as_str()))),
        ("recorded_at", Some(time(order.created_at))),
    ])
}

/// The entry of a journal that says that an order was accepted.
pub(super) const LEDGER: &str = "ledger";

/// The entry of a journal that an event is. Ten digits sort as their numbers do.
pub(super) fn event_entry(sequence: u32) -> String {
    format!("event#{sequence:010}")
}

/// An event as an item.
pub(super) fn event(event: &Event) -> Item {
    item([
        ("subject", Some(text(event.order_id.to_string()))),
        ("entry", Some(text(event_entry(event.sequence)))),
        ("shard", Some(shard(event.id.as_uuid()))),
        ("event_id", Some(text(event.id.to_string()))),
        ("sequence", Some(number(event.sequence))),
        ("kind", Some(number(event_code(event.kind)))),
        ("payload", event.payload.as_deref().map(text)),
        ("occurred_at", Some(time(event.occurred_at))),
        (
            "traceparent",
            event.traceparent.map(|trace| text(trace.to_string())),
        ),
    ])
}

/// A transfer as an item.
pub(super) fn transfer(transfer: &Transfer) -> Item {
    let subject = match transfer.subject {
        Subject::Order(id) => id.as_uuid(),
        Subject::Adjustment(id) => id,
    };
    let (item_id, currency) = match &transfer.asset {
        Asset::Money(currency) => (None, Some(currency.as_str())),
        Asset::Item(item_id) => (Some(item_id.as_str()), None),
    };
    let (kind, pending) = transfer_code(transfer.kind);
    item([
        ("subject", Some(text(subject.to_string()))),
        (
            "entry",
            Some(text(format!("transfer#{:010}", transfer.number))),
        ),
        ("number", Some(number(transfer.number))),
        ("kind", Some(number(kind))),
        ("pending_number", pending.map(number)),
        ("item_id", item_id.map(text)),
        ("currency", currency.map(text)),
        ("debit", Some(number(account_code(transfer.debit)))),
        ("credit", Some(number(account_code(transfer.credit)))),
        ("amount", Some(number(transfer.amount.cast_signed()))),
        ("reason", transfer.reason.as_deref().map(text)),
        ("occurred_at", Some(time(transfer.occurred_at))),
    ])
}

/// The name of an idempotency record. A key has no blank in it.
pub(super) fn scope(scope: &Scope) -> AttributeValue {
    let (principal, operation) = (scope.principal.as_str(), scope.operation.code());
    text(format!("{operation} {} {principal}", scope.key.as_str()))
}

/// An idempotency record as an item.
pub(super) fn key(claim: &Claim) -> Item {
    let (renderer, reply) = match &claim.reply.body {
        Body::Rendered(renderer) => (Some(number(*renderer)), None),
        Body::Stored(stored) => (None, Some(bytes(stored))),
    };
    let kept_ms = claim.created_at.as_millis() - claim.forget_before.as_millis();
    let expires_at = claim.created_at.as_millis().saturating_add(kept_ms) / 1_000;
    item([
        ("scope", Some(self::scope(&claim.scope))),
        ("operation", Some(number(claim.scope.operation.code()))),
        ("scheme", Some(number(claim.fingerprint.scheme))),
        ("digest", Some(bytes(&claim.fingerprint.digest))),
        ("status", Some(number(claim.reply.status))),
        ("renderer", renderer),
        ("reply", reply),
        ("order_id", claim.order_id.map(|id| text(id.to_string()))),
        ("created_at", Some(time(claim.created_at))),
        // A second more, since no key may be free before it is forgotten.
        (EXPIRES_AT, Some(number(expires_at + 1))),
    ])
}

/// The kind of record that the log of an endpoint is.
pub(super) fn log_of(endpoint_id: domain::EndpointId) -> String {
    format!("delivery {endpoint_id}")
}

/// A try to deliver as an item.
pub(super) fn delivery(delivery: &Delivery) -> Item {
    let expires_at = delivery.id.minted_at().as_millis() / 1_000 + DELIVERIES_KEPT_S;
    item([
        ("kind", Some(text(log_of(delivery.endpoint_id)))),
        ("id", Some(text(delivery.id.to_string()))),
        ("event_id", Some(text(delivery.event_id.to_string()))),
        ("event_kind", Some(number(event_code(delivery.kind)))),
        ("order_id", Some(text(delivery.order_id.to_string()))),
        ("number", Some(number(delivery.number))),
        ("status", delivery.status.map(number)),
        ("error", delivery.error.as_deref().map(text)),
        ("duration_ms", Some(number(delivery.duration_ms))),
        (EXPIRES_AT, Some(number(expires_at))),
    ])
}

/// How long a try stays in the log: thirty days.
const DELIVERIES_KEPT_S: i64 = 30 * 86_400;

/// Who is woken, as it is kept.
pub(super) fn consumer(consumer: Consumer) -> String {
    match consumer {
        Consumer::Fulfil => "fulfil".to_owned(),
        Consumer::Announce(endpoint_id) => endpoint_id.to_string(),
    }
}

/// A time as a value, in milliseconds since 1970.
pub(super) fn time(time: Timestamp) -> AttributeValue {
    number(time.as_millis())
}
