//! The worker of a server: who drives orders to their end, and who is asked for money and stock.

use crate::config::{PaymentProvider, Settings};
use crate::exit::{Code, Exit};
use crate::port;
use api::App;
use domain::Consumer;
use domain::fulfil::{Inventory, Retry, Rules};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::open::{Location, locate};
use worker::providers::books::Books;
use worker::providers::guarded::Guarded;
use worker::providers::simulated::{Behaviour, Simulated};
use worker::{Drain, Fulfil, Limits};

/// How often an order is received, with nothing written about it, before it is buried.
const RECEIVED_MAX: u32 = 5;

/// Nobody should ship goods for payments that were not made: where others can reach the server,
/// somebody has to want the simulated ones.
pub(crate) fn guard_payments(settings: &Settings) -> Result<(), Exit> {
    let asked_for = settings.payments.provider == PaymentProvider::Simulated;
    if asked_for || !settings.worker.enabled || port::is_loopback(settings.server.listen.ip()) {
        return Ok(());
    }
    Err(Exit::new(
        Code::Configuration,
        &format!("Refusing to listen at {}.", settings.server.listen),
        "others can reach this address, and payments would only be simulated.",
        "if that is what you want: ORDERD_PAYMENTS_PROVIDER=simulated, or in orderd.toml: \
         [payments] provider = \"simulated\"; to only record orders: ORDERD_WORKER_ENABLED=false",
    ))
}

/// The loop that drives orders to their end.
pub(crate) fn drain(settings: &Settings, app: &App) -> anyhow::Result<Drain<Fulfil>> {
    let books = Arc::new(open_books(settings)?);
    let lease_ms = millis(settings.worker.lease);
    let provider = |name, books: &Arc<Books>| {
        let behaviour = behaviour(settings);
        let simulated = Simulated::new(behaviour, Arc::clone(books), Arc::clone(&app.clock));
        let fulfilment = &settings.fulfilment;
        Arc::new(Guarded::new(
            simulated,
            Arc::clone(&app.clock),
            name,
            fulfilment.call_timeout,
            fulfilment.calls_max,
        ))
    };
    let fulfil = Fulfil {
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        ids: Arc::clone(&app.ids),
        random: Box::new(rand::random::<u64>),
        rules: rules(settings),
        payments: provider("payment", &books),
        inventory: provider("inventory", &Arc::new(Books::in_memory())),
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

/// How orders are fulfilled here.
pub(crate) fn rules(settings: &Settings) -> Rules {
    let fulfilment = &settings.fulfilment;
    let count = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
    Rules {
        inventory: Inventory::Own,
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
    let percent = f64::from(settings.simulated.failure_rate) / 1e4;
    format!("on; payments are SIMULATED, {percent} % of calls fail")
}

/// The file with the books of the simulated payment service.
pub(crate) fn books_path(settings: &Settings) -> Option<PathBuf> {
    if !settings.simulated.books.is_empty() {
        return Some(PathBuf::from(&settings.simulated.books));
    }
    match locate(&settings.database.url) {
        Ok(Location::Sqlite(path)) => Some(beside(&path)),
        Err(_) => None,
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-payments.jsonl");
    name.into()
}

fn open_books(settings: &Settings) -> anyhow::Result<Books> {
    let Some(path) = books_path(settings) else {
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

fn behaviour(settings: &Settings) -> Behaviour {
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
