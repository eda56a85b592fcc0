//! Drives the orders that a queue names to their end, as a function of AWS Lambda: a batch of messages
//! in, those that failed out. All that it does with an order is in `worker`.

mod metrics;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Clock;
use lambda_runtime::{LambdaEvent, run, service_fn};
use metrics::{Batch, Tally};
use setup::clock::{SystemClock, ids};
use setup::config::{self, Config, Files, PaymentProvider};
use setup::exit::{Code, Exit};
use setup::telemetry::{self, Telemetry};
use setup::{fulfilment, topics};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use store::open::{Access, Options, locate};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tracing::warn;
use worker::queue::{self, Message};
use worker::sqs::Queue;
use worker::{Fulfil, Watch, Witness};

/// What a start leaves for all batches.
struct Function {
    config: Config,
    telemetry: Telemetry,
    fulfil: Arc<Fulfil>,
    /// What became of the orders of a batch.
    tally: Arc<Tally>,
    /// Where messages come from, by their ARNs; looked at once one can never be worked on.
    queues: Mutex<HashMap<String, Arc<Queue>>>,
}

fn main() -> ExitCode {
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(serve()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => setup::exit::report(&error),
    }
}

async fn serve() -> anyhow::Result<()> {
    let config = configuration()?;
    let telemetry = telemetry::start(&config.settings);
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let tasks = TaskTracker::new();
    let function = Function::open(config, telemetry, &tasks).await?;
    let function = &function;
    let served = run(service_fn(|event| async {
        Ok::<_, lambda_runtime::Error>(function.work_on(event).await)
    }));
    served.await.map_err(anyhow::Error::from_boxed)
}

/// What is configured. Orders are in DynamoDB unless something else is said, since a function has no
/// file that stays.
fn configuration() -> anyhow::Result<Config> {
    let files = Files {
        config: None,
        env_file: false,
    };
    let named = config::load(files.clone(), Vec::new())?;
    let is_file = locate(&named.settings.database.url).is_ok_and(|it| it.file().is_some());
    if !is_file {
        return Ok(named);
    }
    if named.is_chosen("database.url") {
        return Err(Exit::new(
            Code::Configuration,
            "Refusing to work on orders in a file.",
            "a function shares no file with whoever takes orders",
            "set DATABASE_URL=dynamodb://PREFIX, or that of a database server.",
        )
        .into());
    }
    let url = (
        "the function",
        "database.url",
        "dynamodb://orderd".to_owned(),
    );
    config::load(files, vec![url])
}

impl Function {
    async fn open(
        config: Config,
        telemetry: Telemetry,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let settings = &config.settings;
        if fulfilment::is_simulated(settings)
            && settings.payments.provider != PaymentProvider::Simulated
        {
            return Err(Exit::new(
                Code::Configuration,
                "Refusing to work on orders without a payment service.",
                "payments would only be simulated, each instance with books of its own",
                "say where it is: PAYMENT_API_URL=https://…; or, if that is what you want: \
                 ORDERD_PAYMENTS_PROVIDER=simulated",
            )
            .into());
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Answers that others keep in a Redis are outdated by what is written here, too.
        let (cache, driver) = setup::cache::cache(&config).await?;
        if let Some(driver) = driver {
            tasks.spawn(driver.run());
        }
        let options = Options {
            cache,
            ..config.store_options(Access::Join)
        };
        let store = store::open(&options, &*clock).await.map_err(Exit::from)?;
        topics::register_completed(settings, &*store, clock.now()).await?;
        let tally = Arc::new(Tally::default());
        let watch = Watch {
            witness: Some(Arc::clone(&tally) as Arc<dyn Witness>),
            tracer: telemetry.tracer(),
        };
        let fulfil = fulfilment::fulfil(settings, &store, &clock, &Arc::new(ids()), watch)?;
        Ok(Self {
            config,
            telemetry,
            tally,
            fulfil: Arc::new(fulfil),
            queues: Mutex::default(),
        })
    }

    /// Works on a batch; the answer names every message that is to come again.
    async fn work_on(&self, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
        let begun = SystemClock.now();
        let records = event.payload.records;
        let messages: Vec<Message> = records.iter().map(message).collect();
        let verdicts = queue::batch(&self.fulfil, &messages).await;
        let mut batch = Batch::default();
        let mut batch_item_failures = Vec::new();
        for (record, verdict) in records.into_iter().zip(verdicts) {
            let id = record.message_id.clone().unwrap_or_default();
            batch.count(&verdict);
            let bury = async |why: String| self.bury(&record, &why).await;
            if !queue::is_done(&id, verdict, bury).await {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                batch_item_failures.push(failure);
            }
        }
        batch.note(&self.tally);
        let took_ms = SystemClock.now().as_millis() - begun.as_millis();
        println!(
            "{}",
            batch.line(&self.config.settings.lambda, begun, took_ms)
        );
        // The function may be put to sleep as soon as it has answered.
        self.telemetry.flush_spans().await;
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = batch_item_failures;
        response
    }

    /// Whether a message that can never be worked on is among the dead letters. Where it is not, it
    /// comes again, until the queue moves it there.
    async fn bury(&self, record: &SqsMessage, why: &str) -> bool {
        let arn = record.event_source_arn.as_deref().unwrap_or_default();
        let queue = match self.queue(arn).await {
            Ok(queue) => queue,
            Err(away) => {
                warn!("Could not look for the dead letters of {arn}: {away}");
                return false;
            }
        };
        let attributes = record.message_attributes.iter();
        let attributes = attributes
            .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)));
        let id = record.message_id.as_deref().unwrap_or_default();
        let body = record.body.as_deref().unwrap_or_default();
        queue.bury(id, body, attributes.collect(), why).await
    }

    async fn queue(&self, arn: &str) -> Result<Arc<Queue>, String> {
        let mut queues = self.queues.lock().await;
        if let Some(queue) = queues.get(arn) {
            return Ok(Arc::clone(queue));
        }
        let queue = Arc::new(Queue::of_arn(arn).await?);
        queues.insert(arn.to_owned(), Arc::clone(&queue));
        Ok(queue)
    }
}

fn message(record: &SqsMessage) -> Message {
    Message {
        body: record.body.clone().unwrap_or_default(),
        group: record.attributes.get("MessageGroupId").cloned(),
    }
}
