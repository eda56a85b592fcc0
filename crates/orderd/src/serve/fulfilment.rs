//! The worker of a server: who drives orders to their end, who is asked for money and stock, and
//! who tells webhooks.

use crate::config::{PaymentProvider, Settings};
use crate::exit::{Code, Exit};
use crate::port;
use api::App;
use domain::fulfil::{Inventory, Retry, Rules};
use domain::webhook::target::Reach;
use domain::{Clock, Consumer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::open::locate;
use tracing::warn;
use worker::announce::post::Post;
use worker::providers::books::Books;
use worker::providers::guarded::Guarded;
use worker::providers::http::{Http, Unusable};
use worker::providers::simulated::{Behaviour, Simulated};
use worker::{Announcer, Drain, Fulfil, Limits, Provider};

/// How often an order is received, with nothing written about it, before it is buried.
const RECEIVED_MAX: u32 = 5;

/// Nobody should ship goods for payments that were not made: where others can reach the server,
/// somebody has to want the simulated ones.
pub(crate) fn guard_payments(settings: &Settings) -> Result<(), Exit> {
    let asked_for = settings.payments.provider == PaymentProvider::Simulated;
    let on_loopback = port::is_loopback(settings.server.listen.ip());
    if asked_for || on_loopback || !settings.worker.enabled || !is_simulated(settings) {
        return Ok(());
    }
    Err(Exit::new(
        Code::Configuration,
        &format!("Refusing to listen at {}.", settings.server.listen),
        "others can reach this address, and payments would only be simulated.",
        "say where the payment service is: PAYMENT_API_URL=https://…; or, if that is what you want: \
         ORDERD_PAYMENTS_PROVIDER=simulated; or only record orders: ORDERD_WORKER_ENABLED=false",
    ))
}

/// The loop that drives orders to their end.
pub(crate) fn drain(settings: &Settings, app: &App) -> anyhow::Result<Drain<Fulfil>> {
    let lease_ms = millis(settings.worker.lease);
    let fulfil = Fulfil {
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        ids: Arc::clone(&app.ids),
        random: Box::new(rand::random::<u64>),
        rules: rules(settings),
        payments: payments(settings, &app.clock)?,
        inventory: inventory(settings, &app.clock)?,
        lease_ms,
    };
    let limits = Limits {
        batch: settings.worker.batch,
        concurrency: settings.worker.concurrency,
        lease_ms,
        received_max: RECEIVED_MAX,
    };
    let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
    Ok(Drain::new(store, clock, Consumer::Fulfil, limits, fulfil))
}

/// Those who are told of events, and how.
pub(crate) fn announcer(settings: &Settings, app: &App) -> Announcer {
    let user_agent = concat!("orderd/", env!("CARGO_PKG_VERSION"));
    Announcer {
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        ids: Arc::clone(&app.ids),
        random: Box::new(rand::random::<u64>),
        post: Post::new(reach(settings), user_agent, settings.webhooks.timeout),
        render: api::cloud_event,
    }
}

/// Where webhooks may go.
pub(crate) fn reach(settings: &Settings) -> Reach {
    if settings.webhooks.allow_private {
        Reach::Any
    } else {
        Reach::Public
    }
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

fn is_simulated(settings: &Settings) -> bool {
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
pub(crate) fn rules(settings: &Settings) -> Rules {
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

/// What people are told of the worker and of who is asked.
pub(crate) fn words(settings: &Settings) -> String {
    if !settings.worker.enabled {
        return "off: orders are recorded, nobody is paid".to_owned();
    }
    let inventory = if settings.inventory.api_url.is_empty() {
        "stock is kept here".to_owned()
    } else {
        format!(
            "stock from {}",
            store::open::redacted(&settings.inventory.api_url)
        )
    };
    if !is_simulated(settings) {
        let url = store::open::redacted(&settings.payments.api_url);
        return format!("on; payments by {url}, {inventory}");
    }
    let percent = f64::from(settings.simulated.failure_rate) / 1e4;
    format!("on; payments are SIMULATED and {percent} % of calls fail, {inventory}")
}

/// The file with the books of the simulated services, where there are any to look at.
pub(crate) fn books_path(settings: &Settings) -> Option<PathBuf> {
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
pub(crate) fn behaviour(settings: &Settings) -> Behaviour {
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
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
