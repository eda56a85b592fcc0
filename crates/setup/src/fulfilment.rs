//! Who drives orders to their end, and who is asked for money and stock, as it is configured.

use crate::config::{PaymentProvider, Settings};
use crate::exit::{Code, Exit};
use domain::fulfil::{Inventory, Retry, Rules};
use domain::{Clock, Ids};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::open::locate;
use tracing::warn;
use worker::providers::books::Books;
use worker::providers::guarded::Guarded;
use worker::providers::http::{Http, Unusable};
use worker::providers::simulated::{Behaviour, Simulated};
use worker::{Fulfil, Provider, Watch};

/// Who drives orders to their end.
///
/// # Errors
/// Where a provider cannot be asked, or the books of the simulated ones not be kept.
pub fn fulfil(
    settings: &Settings,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    ids: &Arc<Ids>,
    watch: Watch,
) -> anyhow::Result<Fulfil> {
    Ok(Fulfil {
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        ids: Arc::clone(ids),
        random: Box::new(rand::random::<u64>),
        rules: rules(settings),
        payments: payments(settings, clock)?,
        inventory: inventory(settings, clock)?,
        lease_ms: millis(settings.worker.lease),
        watch,
    })
}

/// Who is asked for money.
fn payments(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Provider>> {
    let url = &settings.payments.api_url;
    if is_simulated(settings) {
        let books = Some(Arc::new(open_books(settings)?));
        let simulated = Simulated::new(behaviour(settings), books, Arc::clone(clock));
        return Ok(guarded(simulated, settings, clock, "payment"));
    }
    Ok(guarded(
        http(url, "payments.api_url")?,
        settings,
        clock,
        "payment",
    ))
}

/// Who is asked for stock; where it is kept here, nobody, but the simulated failures are in front.
fn inventory(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Provider>> {
    let url = &settings.inventory.api_url;
    if url.is_empty() {
        let behaviour = if is_simulated(settings) {
            behaviour(settings)
        } else {
            Behaviour::default()
        };
        let simulated = Simulated::new(behaviour, None, Arc::clone(clock));
        return Ok(guarded(simulated, settings, clock, "inventory"));
    }
    Ok(guarded(
        http(url, "inventory.api_url")?,
        settings,
        clock,
        "inventory",
    ))
}

/// Whether nobody outside is asked for money.
#[must_use]
pub fn is_simulated(settings: &Settings) -> bool {
    match settings.payments.provider {
        PaymentProvider::Simulated => true,
        PaymentProvider::Auto => settings.payments.api_url.is_empty(),
        PaymentProvider::Http => false,
    }
}

fn guarded(
    provider: impl Provider + 'static,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    name: &'static str,
) -> Arc<dyn Provider> {
    let fulfilment = &settings.fulfilment;
    let (timeout, calls_max) = (fulfilment.call_timeout, fulfilment.calls_max);
    Arc::new(Guarded::new(
        provider,
        Arc::clone(clock),
        name,
        timeout,
        calls_max,
    ))
}

fn http(url: &str, setting: &str) -> Result<Http, Exit> {
    Http::new(url).map_err(|error| {
        let what = format!("Cannot use the URL in {setting}.");
        let (why, fix) = match error {
            Unusable::Url(why) => (why, format!("write {setting} = \"https://example.org/v1\".")),
            Unusable::Client(why) => (
                why,
                "install the certificates of authorities (Debian's package ca-certificates), or name \
                 a file of them in SSL_CERT_FILE."
                    .to_owned(),
            ),
        };
        Exit::new(Code::Configuration, &what, why, &fix)
    })
}

/// How orders are fulfilled here.
#[must_use]
pub fn rules(settings: &Settings) -> Rules {
    let fulfilment = &settings.fulfilment;
    let count = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
    Rules {
        inventory: if settings.inventory.api_url.is_empty() {
            Inventory::Own
        } else {
            Inventory::Outside
        },
        tries_max: count(fulfilment.tries),
        tries_max_to_end: count(fulfilment.tries_to_end),
        deadline_ms: millis(fulfilment.deadline),
        retry: Retry {
            base_ms: millis(fulfilment.retry_base),
            max_ms: millis(fulfilment.retry_max),
        },
    }
}

/// The file with the books of the simulated services, where there are any to look at.
pub fn books_path(settings: &Settings) -> Option<PathBuf> {
    if !settings.simulated.books.is_empty() {
        return Some(PathBuf::from(&settings.simulated.books));
    }
    if !is_simulated(settings) {
        return None;
    }
    locate(&settings.database.url).ok()?.file().map(beside)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-payments.jsonl");
    name.into()
}

fn open_books(settings: &Settings) -> anyhow::Result<Books> {
    let Some(path) = books_path(settings) else {
        warn!(
            "Simulated payments are in the memory of this process: after a restart, or to another \
             worker, they are unknown. To share them, run `orderd providers` and name it in \
             PAYMENT_API_URL; to keep them, name a file in simulated.books"
        );
        return Ok(Books::in_memory());
    };
    Books::open(&path).map_err(|error| {
        let what = format!(
            "Cannot use the books of the simulated payments, {}.",
            path.display()
        );
        let fix = "choose another file with simulated.books.";
        Exit::new(Code::Configuration, &what, error, fix).into()
    })
}

/// How the simulated services behave.
#[must_use]
pub fn behaviour(settings: &Settings) -> Behaviour {
    let simulated = &settings.simulated;
    Behaviour {
        failures: simulated.failure_rate,
        lost_answers: simulated.lost_answer_rate,
        hangs: simulated.hang_rate,
        declines: simulated.decline_rate,
        latency: Duration::from_millis(simulated.latency_ms.try_into().unwrap_or(u64::MAX)),
        seed: simulated.seed.try_into().unwrap_or(u64::MAX),
    }
}

/// A time span as the rules count it.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
