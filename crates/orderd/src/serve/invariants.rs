//! Looks now and then whether what must never change can still not be changed, and shows it as a metric.
//!
//! Only the check that looks at the schema runs here: it costs the same however many orders there are.
//! Each of the others reads every order, and is `orderd verify`'s, which runs beside a server.

use api::App;
use std::sync::Arc;
use std::time::Duration;
use store::Check;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

/// How often it is looked; somebody would have to drop a trigger by hand meanwhile.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// How long a look may take.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Looks for as long as it is let.
pub(super) async fn watch(app: Arc<App>) {
    loop {
        look(&app, Check::AppendOnly).await;
        sleep(LOOK_EVERY).await;
    }
}

async fn look(app: &App, check: Check) {
    match timeout(LOOK_MAX, app.store.audit(check, None)).await {
        Ok(Ok(page)) => {
            for finding in &page.items {
                error!(
                    check = check.as_str(),
                    "The store violates a promise: {finding}"
                );
            }
            app.metrics.violated(check, page.items.len());
        }
        Ok(Err(error)) => warn!(source = ?error, "Could not check {}: {error}", check.as_str()),
        Err(_elapsed) => warn!("Could not check {} within {LOOK_MAX:?}", check.as_str()),
    }
}
