//! The service through its front door: its routes, its binary, and the harnesses that kill it.
#![expect(clippy::unwrap_used, reason = "helpers of tests stop the test, as tests do")]

mod campaign;
mod crash;
mod disk;
mod generated;
mod harness;
mod load;
mod power;
mod races;
