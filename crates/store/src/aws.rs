//! How the services of AWS are reached: region, credentials and endpoint as the environment says.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use std::time::Duration;

/// How long a connection may take, and a call.
const CONNECT_MAX: Duration = Duration::from_secs(2);
const CALL_MAX: Duration = Duration::from_secs(5);

/// What every client is made with. No call is tried again by the SDK: one layer does that, and it is
/// ours.
pub async fn config() -> SdkConfig {
    let tls = Provider::Rustls(CryptoMode::Ring);
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(tls).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_MAX)
                .operation_attempt_timeout(CALL_MAX)
                .build(),
        )
        .load()
        .await
}

/// An error with its causes, outermost first. What a service says of itself stands in its code.
pub fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !words.ends_with(&said) {
            words = format!("{words}: {said}");
        }
        cause = error.source();
    }
    words
}
