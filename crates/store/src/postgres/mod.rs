//! Orders in a PostgreSQL database, shared by as many processes as like.
//!
//! Whose write sets are one transaction is decided in [`server`](crate::server); here are the
//! statements.

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

/// One column of rows, as an argument.
fn list<R, T>(rows: &[R], column: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}
