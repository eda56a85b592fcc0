//! Events as others are told them: `CloudEvents` 1.0 in their JSON format, with the extensions
//! `sequence`, `partitionkey` and `traceparent`.

use crate::renderers::{OrderBody, display};
use domain::event::SOURCE;
use domain::{Event, EventId, EventKind, Order, OrderId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Something that happened to an order: a `CloudEvents` 1.0 object.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct CloudEvent<'a> {
    /// Always `1.0`.
    #[schema(example = "1.0")]
    specversion: &'static str,
    /// Its name, for ever: drop those that you know.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    id: EventId,
    /// Where it comes from.
    #[schema(example = "/orderd")]
    source: &'static str,
    /// What happened.
    #[schema(example = "order.completed.v1")]
    r#type: &'static str,
    /// The order it happened to.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    subject: OrderId,
    /// When it became true.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Always `application/json`.
    #[schema(example = "application/json")]
    datacontenttype: &'static str,
    /// Its place among the events of its order: text that sorts, as the extension wants it.
    #[schema(pattern = "^[0-9]{10}$", example = "0000000001")]
    sequence: String,
    /// The order, for whoever partitions.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    partitionkey: OrderId,
    /// The W3C trace of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// What there is to say of it.
    data: Data<'a>,
}

/// What there is to say of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = EventData)]
pub(crate) struct Data<'a> {
    /// The order it happened to.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// The order as it was placed, where it was just placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderBody<'a>>,
    /// What there is to say beyond the order itself.
    #[schema(value_type = Option<Object>)]
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
