//! The service through its front door: its routes, its binary, and the harnesses that kill it.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stop the test, as tests do"
)]

mod access;
mod admin;
mod aws;
mod backend;
mod bad_input;
mod basket;
mod books;
mod cached;
mod campaign;
mod catalogue;
mod cli;
mod crash;
mod dashboard;
mod dead_letters;
mod documented;
mod event;
mod faults;
mod freshness;
mod fulfilment;
mod generated;
mod harness;
mod idempotency;
mod import;
mod in_a_file;
mod live;
mod load;
mod messages;
mod metrics;
mod on_a_server;
mod on_dynamodb;
mod on_queues;
mod operations;
mod orders;
mod pages;
mod prefix;
mod process;
mod products;
mod proxy;
mod races;
mod receipt;
mod redis;
mod refunds;
mod relay;
mod saga;
mod service;
mod soak;
mod stock;
mod supervised;
mod takeover;
mod traces;
mod webhooks;
