//! The cache of answers, as it is configured.

use crate::config::Config;
use crate::exit::{Code, Exit};
use std::sync::Arc;
use store::cache::{Cache, Driver};
use store::open::locate;

/// The configured cache, and the driver of one that is shared.
///
/// # Errors
/// Where the Redis that is named cannot be one.
pub async fn cache(config: &Config) -> anyhow::Result<(Arc<Cache>, Option<Driver>)> {
    let settings = &config.settings.cache;
    let bytes_max = u64::try_from(settings.max_bytes)?;
    if settings.disabled {
        return Ok((Arc::new(Cache::off()), None));
    }
    if settings.redis_url.is_empty() {
        // Another process may change what one keeps to itself.
        if locate(&config.settings.database.url).is_ok_and(|location| location.file().is_none()) {
            return Ok((Arc::new(Cache::off()), None));
        }
        let cache = Cache::in_process(settings.ttl, bytes_max);
        return Ok((Arc::new(cache), None));
    }
    let (cache, mut driver) =
        Cache::redis(&settings.redis_url, settings.ttl, bytes_max).map_err(|error| {
            let url = store::open::redacted(&settings.redis_url);
            let what = format!("Cannot use the Redis URL {url:?}.");
            let fix = "write redis://127.0.0.1:6379/0, or leave cache.redis_url (REDIS_URL) out.";
            Exit::new(Code::Configuration, &what, error, fix)
        })?;
    // It may be away; the driver goes on trying.
    driver.connect().await;
    Ok((Arc::new(cache), Some(driver)))
}
