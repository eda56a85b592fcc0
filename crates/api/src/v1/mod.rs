//! The product's own API: one file a resource. `draft` reads the order that `orders` and `batch`
//! place.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod dead_letters;
pub(crate) mod draft;
pub(crate) mod events;
pub(crate) mod fulfilment;
pub(crate) mod idempotency_keys;
pub(crate) mod orders;
pub(crate) mod products;
pub(crate) mod refunds;
pub(crate) mod stock;
pub(crate) mod tokens;
pub(crate) mod webhooks;
