//! `orderd seed`: demo orders, the same whenever and wherever it runs.
//!
//! Every order has a key of its own, so that running it again adds nothing twice.

use crate::Globals;
use crate::client::ServerArgs;
use crate::progress::{Progress, grouped};
use crate::target::Target;
use domain::Line;
use domain::demo::PRODUCTS;
use domain::text::Text;
use serde::Serialize;
use serde_json::{Value, json};
use setup::exit::{Code, Exit};
use std::fmt;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// Orders of one request.
const BATCH: u64 = 100;
/// Requests at a time.
const IN_FLIGHT: usize = 4;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many orders there shall be
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    count: u64,
    /// Another seed gives other orders, under other keys
    #[arg(long, default_value_t = 1)]
    random_seed: u64,
    #[command(flatten)]
    server: ServerArgs,
}

/// What seeding came to.
#[derive(Debug, Serialize)]
pub(crate) struct Seeded {
    /// Orders placed now.
    pub(crate) placed: u64,
    /// Orders that were there already.
    pub(crate) already_there: u64,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let target = Arc::new(Target::find(&args.server, globals).await?);
    let seeded = demo(&target, args.count, args.random_seed).await;
    target.close().await?;
    let seeded = seeded?;
    if globals.json {
        println!("{}", serde_json::to_string(&seeded)?);
    } else {
        println!("{seeded}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Sees to it that the first `count` demo orders of `seed` are there.
///
/// # Errors
/// The first order that is refused; those before it stay.
pub(crate) async fn demo(target: &Arc<Target>, count: u64, seed: u64) -> anyhow::Result<Seeded> {
    let started = Instant::now();
    products(target).await?;
    let mut seeded = Seeded {
        placed: 0,
        already_there: 0,
        seconds: 0.0,
    };
    let mut progress = Progress::new(count);
    let mut batches = (0..count).step_by(usize::try_from(BATCH)?);
    let mut in_flight = JoinSet::new();
    loop {
        while in_flight.len() < IN_FLIGHT
            && let Some(first) = batches.next()
        {
            let numbers = first..count.min(first + BATCH);
            in_flight.spawn(place(Arc::clone(target), seed, numbers));
        }
        let Some(batch) = in_flight.join_next().await else {
            break;
        };
        let (placed, already_there) = batch??;
        seeded.placed += placed;
        seeded.already_there += already_there;
        let done = seeded.placed + seeded.already_there;
        progress.show(done, &format!("{} orders", grouped(done)));
    }
    progress.finish();
    seeded.seconds = started.elapsed().as_secs_f64();
    Ok(seeded)
}

/// Goes on from order `number` of `seed`, one order at a time. Never ends, whatever becomes of them.
pub(crate) async fn go_on(target: Arc<Target>, number: u64, seed: u64, every: Duration) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_new = true;
    for number in number.. {
        // Those that an earlier run has placed are passed over at once.
        if is_new {
            tick.tick().await;
        }
        let placed = place(Arc::clone(&target), seed, number..number + 1).await;
        is_new = !matches!(placed, Ok((0, _)));
        if let Err(error) = placed {
            debug!("A demo order was not placed: {error:#}");
        }
    }
}

/// Puts the products of the demo into the catalogue, where they are not there yet.
async fn products(target: &Target) -> anyhow::Result<()> {
    let headers = [("content-type", "application/json"), ("if-none-match", "*")];
    for (id, name, price_minor) in PRODUCTS {
        let body = json!({"name": name, "price_minor": price_minor}).to_string();
        let path = format!("/v1/products/{id}");
        let answer = target.send("PUT", &path, &headers, body.as_bytes()).await?;
        if !matches!(answer.status, 201 | 412) {
            return Err(answer.problem().into());
        }
    }
    Ok(())
}

/// Places one batch: how many orders are new, and how many were there.
async fn place(target: Arc<Target>, seed: u64, numbers: Range<u64>) -> anyhow::Result<(u64, u64)> {
    let items: Vec<Value> = numbers.map(|number| item(seed, number)).collect();
    let body = json!({ "items": items }).to_string();
    let headers = [("content-type", "application/json")];
    let answer = target
        .send("POST", "/v1/orders/batch", &headers, body.as_bytes())
        .await?
        .json()?;
    let mut counts = (0, 0);
    for item in answer["items"].as_array().into_iter().flatten() {
        match (item["status"].as_u64(), item["replayed"].as_bool()) {
            (Some(201), Some(true)) => counts.1 += 1,
            (Some(201), _) => counts.0 += 1,
            _ => return Err(refused(item).into()),
        }
    }
    Ok(counts)
}

/// Order `number` of a seed, as an item of a batch.
fn item(seed: u64, number: u64) -> Value {
    let order = domain::demo::order(seed, number);
    let line = |line: &Line| {
        let item_id = line.item_id.as_ref().map(Text::as_str);
        let name = line.name.as_ref().map(Text::as_str);
        json!({"item_id": item_id, "name": name, "quantity": line.quantity.get()})
    };
    let lines: Vec<Value> = order.lines.iter().map(line).collect();
    json!({
        "idempotency_key": format!("seed-{seed}-{number}"),
        "order": {
            "customer_id": order.customer_id.as_str(),
            "customer_name": order.customer_name.as_str(),
            "lines": lines,
        },
    })
}

fn refused(item: &Value) -> Exit {
    let detail = item["problem"]["detail"]
        .as_str()
        .unwrap_or("the server gave no reason.");
    let fix = "mend it and run the same command again: orders that are there are not placed twice.";
    Exit::new(Code::Failed, "Cannot place a demo order.", detail, fix)
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            placed,
            already_there,
            seconds,
        } = self;
        write!(f, "{} orders placed", grouped(*placed))?;
        if *already_there > 0 {
            write!(f, ", {} already there", grouped(*already_there))?;
        }
        write!(f, ", in {seconds:.1} s")?;
        let micros = Duration::from_secs_f64(*seconds).as_micros().max(1);
        let rate = u128::from(*placed) * 1_000_000 / micros;
        write!(
            f,
            " ({} orders/s)",
            grouped(u64::try_from(rate).unwrap_or(u64::MAX))
        )
    }
}

#[cfg(test)]
mod tests;
