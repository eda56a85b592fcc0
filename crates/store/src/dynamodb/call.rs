//! Calls to DynamoDB: how often they are tried, and what their errors mean. This is the one layer
//! that tries again; the SDK does not.

use crate::Error;
use crate::aws::words;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::sleep;

/// How often something is tried that the service has no time for at the moment.
pub(super) const TRIES: u32 = 8;
/// The longest wait after the first failure; it doubles with each. Each wait is a random part of it.
const WAIT: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// What the service says when it did nothing and may do it a moment later.
const BUSY: [&str; 6] = [
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];
/// What it says when it may have done it all the same.
const LOST: [&str; 2] = ["InternalServerError", "ServiceUnavailable"];

/// Makes a call that does the same however often it is made, until the service has time for it.
pub(super) async fn again<T, E, F>(mut call: impl FnMut() -> F) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if tries < TRIES && (is_busy(&error) || is_lost(&error)) => {
                pause(tries).await;
                tries += 1;
            }
            result => return result,
        }
    }
}

/// Waits before the next try.
pub(super) async fn pause(tries: u32) {
    let most = WAIT.saturating_mul(1 << tries.min(10)).min(WAIT_MAX) / 2;
    // From the system's randomness, as each hasher is.
    let random = RandomState::new().hash_one(tries);
    let part = random % u64::try_from(most.as_micros()).unwrap_or(1).max(1);
    sleep(Duration::from_micros(part)).await;
}

/// Whether the service did nothing, and may do it a moment later.
pub(super) fn is_busy<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    code(error).is_some_and(|code| BUSY.contains(&code))
}

/// Whether nobody knows what was done.
pub(super) fn is_lost<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let no_answer = matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | SdkError::TimeoutError(_)
    );
    let nobodys_word = error
        .raw_response()
        .is_some_and(|response| response.status().is_server_error() && code(error).is_none());
    no_answer || nobodys_word || code(error).is_some_and(|code| LOST.contains(&code))
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// An error of a call that wrote nothing.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it takes what `map_err` gives"
)]
pub(super) fn failed<E, R>(error: SdkError<E, R>) -> Error
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    Error::Unavailable(words(&error).into())
}

/// A request of ours lacks something that the service insists on.
pub(super) fn incomplete(error: impl std::error::Error) -> Error {
    Error::Corrupt(error.to_string())
}
