//! Orders as JSON. A renderer that ever answered a placing keeps its number and stays for ever,
//! since a replay must give the same bytes: change one by adding the next.

use domain::order::Failure;
use domain::text::Text;
use domain::{Line, Order, OrderId, Status, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// `POST /v1/orders`.
pub(crate) const V1: u8 = 1;
/// `POST /orders` in the form of the receipt contract.
pub(crate) const RECEIPT: u8 = 2;
/// `POST /orders` in the form of the basket contract.
pub(crate) const BASKET: u8 = 3;
/// `POST /orders` in the form of the event contract.
pub(crate) const EVENT: u8 = 4;

/// The answer to the placing of `order`, by the renderer with this number; `None` for a number that
/// this build does not know.
pub(crate) fn render(number: u8, order: &Order) -> Option<Vec<u8>> {
    match number {
        V1 => Some(to_bytes(&OrderBody::of(order))),
        RECEIPT => Some(to_bytes(&ReceiptBody {
            order_id: order.id,
            status: "created",
        })),
        BASKET => Some(to_bytes(&BasketBody::of(order))),
        EVENT => Some(to_bytes(&EventPlacedBody::of(order))),
        _ => None,
    }
}

/// The JSON of a body.
pub(crate) fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(640);
    serde_json::to_writer(&mut bytes, body).expect("texts and numbers can always be written");
    bytes
}

/// An order in `/v1` words.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderBody<'a> {
    /// Its name, for ever: a UUID, of version 7 unless an older system named the order.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// How far it has come.
    #[schema(example = "created")]
    status: &'static str,
    /// 1 when placed, 1 more with every change; its `ETag`.
    version: u32,
    /// Who it is for, as the client numbers its customers.
    customer_id: Option<&'a str>,
    /// Who it is for, for people.
    customer_name: Option<&'a str>,
    /// The currency of every amount in it.
    #[schema(example = "USD")]
    currency: &'a str,
    /// What was ordered.
    lines: Vec<LineBody<'a>>,
    /// The sum of its lines, in minor units.
    total_minor: i64,
    /// How much was captured so far.
    captured_minor: i64,
    /// How much of that was given back.
    refunded_minor: i64,
    /// Why it failed, where it did.
    failure: Option<FailureBody<'a>>,
    /// Whether it is to be paid for and taken from stock, or only recorded.
    fulfil: bool,
    /// A word that a client of an older contract set.
    label: Option<&'a str>,
    /// When it was placed.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its version last moved.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The client's own notes.
    #[schema(value_type = Option<Object>)]
    metadata: Option<&'a RawValue>,
}

/// One row of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Line)]
pub(crate) struct LineBody<'a> {
    /// Its place, from 1.
    line_number: usize,
    /// What it is about, as the client numbers its goods.
    item_id: Option<&'a str>,
    /// What it is about, for people.
    name: Option<&'a str>,
    /// How many.
    quantity: u32,
    /// The price of one; 0 where no catalogue knows it.
    unit_price_minor: i64,
    /// Quantity times price.
    total_minor: i64,
}

/// Why an order failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureBody<'a> {
    /// The sort of failure.
    reason: &'static str,
    /// The step at which it failed.
    step: &'static str,
    /// What there is to say about it.
    detail: &'a str,
}

impl<'a> FailureBody<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            reason: failure.reason.as_str(),
            step: failure.step.as_str(),
            detail: &failure.detail,
        }
    }
}

impl<'a> OrderBody<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        Self {
            order_id: order.id,
            status: order.status.as_str(),
            version: order.version,
            customer_id: order.customer_id.as_ref().map(Text::as_str),
            customer_name: order.customer_name.as_ref().map(Text::as_str),
            currency: order.currency.as_str(),
            lines: order.lines.iter().zip(1..).map(LineBody::of).collect(),
            total_minor: order.total_minor.as_minor(),
            captured_minor: order.captured_minor.as_minor(),
            refunded_minor: order.refunded_minor.as_minor(),
            failure: order.failure.as_ref().map(FailureBody::of),
            fulfil: order.fulfil,
            label: order.label.as_ref().map(Text::as_str),
            created_at: order.created_at,
            updated_at: order.updated_at,
            metadata: order
                .metadata
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}

impl<'a> LineBody<'a> {
    fn of((line, line_number): (&'a Line, usize)) -> Self {
        Self {
            line_number,
            item_id: line.item_id.as_ref().map(Text::as_str),
            name: line.name.as_ref().map(Text::as_str),
            quantity: line.quantity.get(),
            unit_price_minor: line.unit_price_minor.as_minor(),
            total_minor: line.total().map_or(i64::MAX, domain::Money::as_minor),
        }
    }
}

/// What the receipt contract answers to a placing.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptBody {
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// Always `created`.
    status: &'static str,
}

/// An order in the words of the receipt contract.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptOrder)]
pub(crate) struct ReceiptOrderBody<'a> {
    /// Its name, for ever; a number where an older system numbered it.
    #[serde(serialize_with = "number_or_uuid")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// Who it is for.
    customer_id: Option<&'a str>,
    /// What was ordered.
    item_id: Option<&'a str>,
    /// How many.
    quantity: u32,
    /// How far it has come.
    status: &'static str,
}

impl<'a> ReceiptOrderBody<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        let line = order.lines.first();
        Self {
            order_id: order.id,
            customer_id: order.customer_id.as_ref().map(Text::as_str),
            item_id: line
                .and_then(|line| line.item_id.as_ref())
                .map(Text::as_str),
            quantity: line.map_or(0, |line| line.quantity.get()),
            status: order.status.as_str(),
        }
    }
}

/// An order in the words of the basket contract, whatever contract it came by.
#[derive(Serialize, ToSchema)]
#[schema(as = Basket)]
pub(crate) struct BasketBody<'a> {
    /// Who it is for; the id of the customer where there is no name.
    customer_name: Option<&'a str>,
    /// What was ordered.
    items: Vec<BasketItemBody<'a>>,
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// The word that a client set; else `received`, or how far it has come since.
    status: &'a str,
}

/// One row of an order in the words of the basket contract.
#[derive(Serialize, ToSchema)]
#[schema(as = BasketItem)]
pub(crate) struct BasketItemBody<'a> {
    /// What it is about; the id of the item where there is no name.
    name: Option<&'a str>,
    /// How many.
    quantity: u32,
}

impl<'a> BasketBody<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        let name = order.customer_name.as_ref().map(Text::as_str);
        let status = match (&order.label, order.status) {
            (Some(label), _) => label.as_str(),
            (None, Status::Created) => "received",
            (None, status) => status.as_str(),
        };
        Self {
            customer_name: name.or(order.customer_id.as_ref().map(Text::as_str)),
            items: order.lines.iter().map(BasketItemBody::of).collect(),
            order_id: order.id,
            status,
        }
    }
}

impl<'a> BasketItemBody<'a> {
    fn of(line: &'a Line) -> Self {
        let name = line.name.as_ref().map(Text::as_str);
        Self {
            name: name.or(line.item_id.as_ref().map(Text::as_str)),
            quantity: line.quantity.get(),
        }
    }
}

/// An order in the words of the event contract.
#[derive(Serialize, ToSchema)]
#[schema(as = EventOrder)]
pub(crate) struct EventOrderBody<'a> {
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// Who it is for.
    customer_name: Option<&'a str>,
    /// What was ordered.
    product_name: Option<&'a str>,
    /// How many.
    quantity: u32,
    /// `Pending`, `Processing`, `Completed` or `Failed`.
    status: &'a str,
}

impl<'a> EventOrderBody<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        let line = order.lines.first();
        let status = match order.status {
            // What became of one that was imported, the older system has said.
            Status::Created => order.label.as_ref().map_or("Pending", Text::as_str),
            Status::Processing | Status::Compensating | Status::NeedsReview => "Processing",
            Status::Completed | Status::Refunded => "Completed",
            Status::Failed | Status::Cancelled => "Failed",
        };
        Self {
            order_id: order.id,
            customer_name: order.customer_name.as_ref().map(Text::as_str),
            product_name: line.and_then(|line| line.name.as_ref()).map(Text::as_str),
            quantity: line.map_or(0, |line| line.quantity.get()),
            status,
        }
    }
}

/// What the event contract answers to a placing.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPlaced)]
pub(crate) struct EventPlacedBody<'a> {
    /// In a sentence.
    message: &'static str,
    /// The order.
    order: EventOrderBody<'a>,
}

impl<'a> EventPlacedBody<'a> {
    fn of(order: &'a Order) -> Self {
        Self {
            message: "Order created successfully",
            order: EventOrderBody::of(order),
        }
    }
}

/// All orders in the words of the basket contract.
#[derive(Serialize, ToSchema)]
#[schema(as = BasketList)]
pub(crate) struct BasketListBody<'a> {
    /// The orders, newest first.
    orders: Vec<BasketBody<'a>>,
    /// How many they are.
    total_orders: usize,
    /// `true` where there are more, which are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
}

impl<'a> BasketListBody<'a> {
    pub(crate) fn of(orders: &'a [Order], truncated: bool) -> Self {
        Self {
            orders: orders.iter().map(BasketBody::of).collect(),
            total_orders: orders.len(),
            truncated: truncated.then_some(true),
        }
    }
}

/// What was done.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageBody {
    /// In a sentence.
    message: std::borrow::Cow<'static, str>,
}

impl MessageBody {
    pub(crate) fn new(message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { message }
    }
}

fn number_or_uuid<S: serde::Serializer>(id: &OrderId, serializer: S) -> Result<S::Ok, S::Error> {
    match id.number() {
        Some(number) => serializer.serialize_u64(number),
        None => serializer.collect_str(id),
    }
}

/// Writes a value as the text that people see.
pub(crate) fn display<T: std::fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
