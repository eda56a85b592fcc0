//! `orderd import`: the orders and keys of an older system, with their ids and answers. What is there
//! already is left as it is, so an import that was cut off is run again.

mod order;

use crate::Globals;
use crate::progress::{Progress, grouped};
use crate::serve;
use crate::verify::{self, plural};
use anyhow::{Context as _, anyhow};
use domain::idempotency::Retention;
use domain::place::Occasion;
use domain::text::Label;
use domain::{Clock, EventId, Ids, OrderId, recorded};
use futures_util::future;
use order::Imported;
use serde_json::json;
use setup::clock::{self, SystemClock};
use setup::config::{self, Config};
use setup::exit::Exit;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use store::foreign::{Foreign, Source, Stray, System};
use store::open::Access;
use store::{Committed, Store};

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The database of the older system: a SQLite file, a URL that begins with `mysql://`, or
    /// `dynamodb://TABLE`
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Where to put what cannot be imported, a line of JSON each
    #[arg(long, value_name = "FILE", default_value = "import-rejects.jsonl")]
    rejects: PathBuf,
}

/// What an import came to.
#[derive(Default)]
struct Tally {
    orders: u64,
    keys: u64,
    there_already: u64,
    rejected: u64,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = config::load(globals, Vec::new())?;
    let mut source = Source::open(&args.source).await.map_err(Exit::from)?;
    let target = if args.dry_run {
        None
    } else {
        Some(open(&config).await?)
    };
    let mut import = Import {
        ids: ids(target.as_deref()).await?,
        target,
        retention: serve::retention(&config.settings),
        system: source.system(),
        rejects: Rejects::new(&args.rejects),
        tally: Tally::default(),
    };
    let done = import.all(&mut source).await;
    if let Some(target) = &import.target {
        target.close().await?;
    }
    done?;
    import.tell(&args, globals);
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    verify::run(verify::Args::default(), globals).await
}

async fn open(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let options = config.store_options(Access::Own);
    let opened = store::open(&options, &SystemClock).await;
    Ok(opened.map_err(Exit::from)?)
}

/// Ids after all that are there.
async fn ids(target: Option<&dyn Store>) -> anyhow::Result<Ids> {
    let ids = clock::ids();
    if let Some(target) = target
        && let Some(event_id) = target.stats().await?.newest_event
    {
        ids.start_after(event_id.as_uuid());
    }
    Ok(ids)
}

/// What became of an order.
enum Outcome {
    New {
        with_key: bool,
        /// Why it came without one.
        without_key: Option<String>,
    },
    ThereAlready,
    Rejected(String),
}

struct Import<'a> {
    /// `None`: nothing is written.
    target: Option<Arc<dyn Store>>,
    ids: Ids,
    retention: Retention,
    system: System,
    rejects: Rejects<'a>,
    tally: Tally,
}

impl Import<'_> {
    async fn all(&mut self, source: &mut Source) -> anyhow::Result<()> {
        let unreadable = |why: String| anyhow!("cannot read what is to be imported: {why}");
        let mut progress = Progress::new(source.count().await.map_err(unreadable)?);
        let (mut seen, mut after) = (0, None);
        loop {
            let page = source.orders(after.as_deref()).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            let outcomes = page.iter().map(|foreign| self.import(foreign));
            // At once, so that they are committed in groups.
            let outcomes = future::join_all(outcomes).await;
            for (foreign, outcome) in page.iter().zip(outcomes) {
                self.note(foreign, outcome?)?;
            }
            seen += page.len() as u64;
            progress.show(seen, "orders");
        }
        progress.finish();
        for Stray { table, row, reason } in source.strays().await.map_err(unreadable)? {
            self.reject(&table, &row, &reason)?;
        }
        self.rejects.finish()
    }

    async fn import(&self, foreign: &Foreign) -> anyhow::Result<Outcome> {
        let imported = order::read(self.system, foreign, self.occasion(), &self.retention);
        let Imported {
            placing,
            label,
            without_key,
        } = match imported {
            Ok(imported) => imported,
            Err(why) => return Ok(Outcome::Rejected(why)),
        };
        let id = placing.placed().map(|order| order.id);
        let with_key = placing.claim.is_some();
        let new = Outcome::New {
            with_key,
            without_key,
        };
        let Some(target) = &self.target else {
            return Ok(new);
        };
        let outcome = match target.commit(Arc::new(placing)).await? {
            Committed::Done => new,
            Committed::Seen(seen) if seen.order.as_ref().map(|order| order.id) != id => {
                let why = "its key stands for another order already";
                return Ok(Outcome::Rejected(why.to_owned()));
            }
            Committed::Seen(_) | Committed::Refused(_) => Outcome::ThereAlready,
        };
        if let (Some(label), Some(id)) = (label, id) {
            self.label(&**target, id, label).await?;
        }
        Ok(outcome)
    }

    fn note(&mut self, foreign: &Foreign, outcome: Outcome) -> anyhow::Result<()> {
        match outcome {
            Outcome::New {
                with_key,
                without_key,
            } => {
                self.tally.orders += 1;
                self.tally.keys += u64::from(with_key);
                match without_key {
                    Some(why) => self.reject("idempotency_records", &foreign.id, &why),
                    None => Ok(()),
                }
            }
            Outcome::ThereAlready => {
                self.tally.there_already += 1;
                Ok(())
            }
            Outcome::Rejected(why) => self.reject("orders", &foreign.id, &why),
        }
    }

    fn occasion(&self) -> Occasion {
        let now = SystemClock.now();
        Occasion {
            // Another one is put in its place.
            order_id: OrderId::least_at(now),
            event_id: EventId::new(self.ids.mint(now)),
            now,
            fulfil_at: now,
            traceparent: None,
        }
    }

    /// Gives an order its word, unless it has one.
    async fn label(&self, target: &dyn Store, id: OrderId, label: Label) -> anyhow::Result<()> {
        let order = target.order(id).await?;
        let Some(order) = order.filter(|order| order.label.is_none()) else {
            return Ok(());
        };
        let labelled = recorded::label(order, label, self.occasion())
            .map_err(|refusal| anyhow!("the order {id} cannot have its status: {refusal:?}"))?;
        target.commit(Arc::new(labelled)).await?;
        Ok(())
    }

    fn reject(&mut self, table: &str, row: &str, reason: &str) -> anyhow::Result<()> {
        self.tally.rejected += 1;
        let line = json!({ "table": table, "row": row, "reason": reason });
        self.rejects.add(&line.to_string())
    }

    fn tell(&self, args: &Args, globals: &Globals) {
        let Tally {
            orders,
            keys,
            there_already,
            rejected,
        } = self.tally;
        if globals.json {
            let tally = json!({
                "orders": orders, "keys": keys, "there_already": there_already,
                "rejected": rejected, "dry_run": args.dry_run,
            });
            return println!("{tally}");
        }
        let did = if args.dry_run {
            "Would import"
        } else {
            "Imported"
        };
        let (orders, keys) = (plural(orders, "order"), plural(keys, "key"));
        println!(
            "{did} {orders} and {keys}; {} there already.",
            grouped(there_already)
        );
        if rejected > 0 {
            let (rejected, path) = (plural(rejected, "row"), args.rejects.display());
            println!("Not imported: {rejected}; {path} has a line with the reason for each.");
        }
        if !args.dry_run {
            println!();
        }
    }
}

/// The file with what could not be imported; made for the first row.
struct Rejects<'a> {
    path: &'a Path,
    file: Option<BufWriter<File>>,
}

impl<'a> Rejects<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, file: None }
    }

    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        if self.file.is_none() {
            let file = File::create(self.path).with_context(failed)?;
            self.file = Some(BufWriter::new(file));
        }
        match &mut self.file {
            Some(file) => writeln!(file, "{line}").with_context(failed),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().context("cannot write the rejected rows"),
            None => Ok(()),
        }
    }
}
