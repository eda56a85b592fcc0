//! The rules of orderd, as plain functions from values to values.
//!
//! Nothing in here reads a clock, a random number, a file or a socket: what a decision needs is a
//! parameter, and what it decides is a [`WriteSet`] or a [`Refusal`]. Wire forms live in `api`,
//! rows in `store`.

pub mod clock;
pub mod demo;
pub mod event;
pub mod fulfil;
pub mod id;
pub mod idempotency;
pub mod json;
pub mod ledger;
pub mod letter;
pub mod money;
pub mod order;
pub mod place;
pub mod prefix;
pub mod product;
pub mod recorded;
pub mod refund;
pub mod refusal;
pub mod scatter;
pub mod stock;
pub mod text;
pub mod token;
pub mod trace;
pub mod transfer;
pub mod webhook;
pub mod write_set;

pub use clock::{Clock, Timestamp};
pub use event::{Event, EventKind};
pub use id::{DeliveryId, EndpointId, EventId, Ids, OrderId};
pub use ledger::LedgerEntry;
pub use letter::Letter;
pub use money::{Currency, Money};
pub use order::{Line, Order, Quantity, Status};
pub use prefix::Prefix;
pub use product::Product;
pub use refund::Refund;
pub use refusal::Refusal;
pub use stock::Stock;
pub use text::{CustomerId, ItemId, Name};
pub use transfer::Transfer;
pub use webhook::{Delivery, Endpoint};
pub use write_set::{
    Change, Claim, Consumer, Delayed, Lease, Record, RecordId, RecordKind, Wake, WriteSet,
};
