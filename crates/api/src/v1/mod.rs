//! The product's own API: one file a resource. `draft` reads the order that `orders` and `batch`
//! place.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod draft;
pub(crate) mod idempotency_keys;
pub(crate) mod orders;
pub(crate) mod products;
pub(crate) mod tokens;
