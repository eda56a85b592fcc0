//! Events as others are told them: `CloudEvents` 1.0 in their JSON format, with the extensions
//! `sequence`, `partitionkey` and `traceparent`.

use crate::renderers::{OrderBody, display};
use domain::event::SOURCE;
use domain::{Event, EventId, EventKind, Order, OrderId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    #[serde(serialize_with = "display")]
    id: EventId,
    source: &'static str,
    r#type: &'static str,
    #[serde(serialize_with = "display")]
    subject: OrderId,
    #[serde(serialize_with = "display")]
    time: Timestamp,
    datacontenttype: &'static str,
    /// Text that sorts, as the extension wants it.
    sequence: String,
    #[serde(serialize_with = "display")]
    partitionkey: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(serialize_with = "display")]
    order_id: OrderId,
    /// The order as it was placed, where it was just placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderBody<'a>>,
    /// What there is to say of it.
    detail: Option<&'a RawValue>,
}

/// The JSON of an event. `order` is that of the event; only one that was just placed is shown, and
/// none that is hidden: it is in no read.
#[must_use]
pub fn cloud_event(event: &Event, order: Option<&Order>) -> String {
    let placed = order
        .filter(|order| event.kind == EventKind::OrderCreated && order.hidden_at.is_none())
        .map(|order| order.clone().as_placed());
    let detail = event.payload.as_deref();
    let shown = CloudEvent {
        specversion: "1.0",
        id: event.id,
        source: SOURCE,
        r#type: event.kind.as_str(),
        subject: event.order_id,
        time: event.occurred_at,
        datacontenttype: "application/json",
        sequence: format!("{:010}", event.sequence),
        partitionkey: event.order_id,
        traceparent: event.traceparent.map(|trace| trace.to_string()),
        data: Data {
            order_id: event.order_id,
            order: placed.as_ref().map(OrderBody::of),
            detail: detail.and_then(|text| serde_json::from_str(text).ok()),
        },
    };
    serde_json::to_string(&shown).expect("texts and numbers can always be written")
}
