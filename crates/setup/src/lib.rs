//! How a process of orderd is set up: what is configured, where its log goes, what time it is, and who
//! drives orders to their end. What is in here, the server and the Lambda function share.

pub mod cache;
pub mod clock;
pub mod config;
pub mod exit;
pub mod fulfilment;
pub mod telemetry;
pub mod topics;
