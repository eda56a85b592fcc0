//! What comes after the commit: the loops that drain the outbox or a queue, and their handlers: one
//! drives an order to its end, one tells webhooks, one topics.
//!
//! Nothing in here knows HTTP servers or SQL. What an order needs next is decided in `domain`;
//! what is decided is written by `store`; in here somebody is asked.

pub mod announce;
pub mod drain;
pub mod fulfil;
mod hold;
mod mutant;
pub mod providers;
pub mod queue;
pub mod relay;
#[cfg(feature = "aws")]
pub mod sns;
#[cfg(feature = "aws")]
pub mod sqs;
pub mod watch;

pub use announce::Announcer;
pub use drain::{Drain, Handler, Limits, Verdict};
pub use fulfil::Fulfil;
pub use providers::Provider;
pub use relay::Topics;
pub use watch::{Watch, Witness};
