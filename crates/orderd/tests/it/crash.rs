//! kill -9 at random moments under load: nothing acknowledged is lost, nothing is done twice.

use crate::campaign::{self, Cut};
use crate::harness::{Site, setting};

/// Crashes in CI; `ORDERD_HARNESS_CRASHES` raises it.
pub(crate) const CRASHES: u64 = 100;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let crashes = setting("ORDERD_HARNESS_CRASHES").unwrap_or(CRASHES);
    campaign::holds("crash", &Site::new(None), &Cut::Kill, crashes);
}
