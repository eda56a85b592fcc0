//! What every store promises, and what one of them promises beyond.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod contract;
#[cfg(feature = "aws")]
mod dynamodb;
mod fixtures;
mod live;
mod mysql;
mod others;
mod outbox;
mod postgres;
mod records;
mod shared;
mod sqlite;
mod stats;
mod webhooks;
