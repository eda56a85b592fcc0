//! Orders in a `MariaDB` or `MySQL` database, shared by as many processes as like.
//!
//! Whose write sets are one transaction is decided in [`server`](crate::server); here are the
//! statements. Rows go there as one JSON text each statement, which the engine reads as a table.

mod audit;
mod engine;
mod open;
mod outbox;
mod read;
mod reset;
mod rows;
mod schema;
mod write;

pub(crate) use open::open;
