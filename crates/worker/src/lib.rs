//! What comes after the commit: the loop that drains the outbox, and its handlers: one drives an
//! order to its end, one tells webhooks.
//!
//! Nothing in here knows HTTP servers or SQL. What an order needs next is decided in `domain`;
//! what is decided is written by `store`; in here somebody is asked.

pub mod announce;
pub mod drain;
pub mod fulfil;
mod mutant;
pub mod providers;

pub use announce::Announcer;
pub use drain::{Drain, Handler, Limits, Verdict};
pub use fulfil::Fulfil;
pub use providers::Provider;
