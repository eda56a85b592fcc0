//! The worker of a server: the loop that drives orders to their end, and who tells webhooks.

use super::aws;
use crate::port;
use api::App;
use domain::fulfil::CallKind;
use domain::webhook::target::Reach;
use domain::{Consumer, Status};
use setup::config::{PaymentProvider, Settings};
use setup::exit::{Code, Exit};
use setup::fulfilment::{fulfil, is_simulated, millis};
use setup::topics;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use worker::announce::post::Post;
use worker::drain::RECEIVED_MAX;
use worker::watch::Outcome;
use worker::{Announcer, Drain, Fulfil, Limits, Provider, Watch, Witness};

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
fn drain(settings: &Settings, app: &App, fulfil: Fulfil) -> Drain<Fulfil> {
    let limits = Limits {
        batch: settings.worker.batch,
        concurrency: settings.worker.concurrency,
        lease_ms: millis(settings.worker.lease),
        received_max: RECEIVED_MAX,
    };
    let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
    Drain::new(store, clock, Consumer::Fulfil, limits, fulfil)
}

/// Starts what follows commits, as far as it is this process's part: who drives orders to their end,
/// who tells webhooks and topics, who hands orders to a queue. Who is asked for money and stock, if
/// this process asks anybody.
pub(crate) async fn start(
    settings: &Settings,
    app: &Arc<App>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Arc<dyn Provider>>> {
    let mut providers = Vec::new();
    if settings.worker.enabled {
        let fulfil = fulfil(settings, &app.store, &app.clock, &app.ids, watch(app))?;
        providers = vec![Arc::clone(&fulfil.payments), Arc::clone(&fulfil.inventory)];
        if topics::drains_outbox(settings) {
            tasks.spawn(drain(settings, app, fulfil).run(stop.clone()));
        } else {
            aws::work_from_queue(settings, fulfil, tasks, stop).await?;
        }
    }
    if settings.worker.enabled || topics::are_named(settings) {
        let announcer = Arc::new(announcer(settings, app).await?);
        if topics::hands_over(settings) {
            let hand_over = announcer.hand_over(topics::again_ms(settings));
            tasks.spawn(hand_over.run(stop.clone()));
        }
        tasks.spawn(announcer.run(stop.clone()));
    }
    Ok(providers)
}

/// Those who are told of events, and how.
async fn announcer(settings: &Settings, app: &Arc<App>) -> anyhow::Result<Announcer> {
    let user_agent = concat!("orderd/", env!("CARGO_PKG_VERSION"));
    Ok(Announcer {
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        ids: Arc::clone(&app.ids),
        random: Box::new(rand::random::<u64>),
        post: Post::new(reach(settings), user_agent, settings.webhooks.timeout),
        render: api::cloud_event,
        topics: if topics::are_named(settings) {
            Some(aws::topics(settings).await?)
        } else {
            None
        },
        watch: watch(app),
    })
}

/// Who looks on: the metrics of this process, and who records spans.
pub(super) fn watch(app: &Arc<App>) -> Watch {
    Watch {
        witness: Some(Arc::new(Counting(Arc::clone(app)))),
        tracer: app.tracer.clone(),
    }
}

/// Counts what the worker does among the metrics.
struct Counting(Arc<App>);

impl Witness for Counting {
    fn tried(&self, call: CallKind, outcome: Outcome, took: Duration) {
        let took = (outcome != Outcome::NotTried).then_some(took);
        self.0.metrics.tried(call.as_str(), outcome.as_str(), took);
    }

    fn finished(&self, status: Status) {
        self.0.metrics.finished(status);
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

/// What people are told of the worker and of who is asked.
pub(crate) fn words(settings: &Settings) -> String {
    if topics::hands_over(settings) && !settings.worker.enabled {
        return "elsewhere: orders are handed to a queue".to_owned();
    }
    if !settings.worker.enabled {
        return "off: orders are recorded, nobody is paid".to_owned();
    }
    let on = if topics::drains_outbox(settings) {
        "on"
    } else {
        "on, from a queue"
    };
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
        return format!("{on}; payments by {url}, {inventory}");
    }
    let percent = f64::from(settings.simulated.failure_rate) / 1e4;
    format!("{on}; payments are SIMULATED and {percent} % of calls fail, {inventory}")
}
