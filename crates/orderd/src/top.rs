//! `orderd top`: what a running server does, second by second: on a terminal a screen that renews
//! itself, else a line each time.
//!
//! All of it is what `/metrics` says, now and a moment ago: it costs the server nothing else.

mod figures;
mod sample;
mod screen;

use crate::Globals;
use crate::client::{self, Server, ServerArgs};
use crate::serve::signals::Signals;
use figures::Figures;
use sample::Sample;
use setup::exit::{Code, Exit};
use std::io::{IsTerminal as _, Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// The longest time between two looks, in seconds.
const EVERY_MAX_S: f64 = 3_600.0;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seconds lie between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    interval: f64,
    /// Look once, over one interval, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|it| (0.1..=EVERY_MAX_S).contains(it));
    seconds.ok_or_else(|| format!("write a number of seconds from 0.1 to {EVERY_MAX_S}"))
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    let mut signals = Signals::install()?;
    let mut before = look(&server).await?;
    let on_screen = stdout().is_terminal() && !args.once && !globals.json;
    let _screen = on_screen.then(screen::Screen::open).transpose()?;
    let mut ticks = interval(Duration::from_secs_f64(args.interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // To end it is what one does with it: there is nothing to complain of.
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
        let now = match look(&server).await {
            Ok(now) => now,
            // Somebody who watches wants to see it come back.
            Err(error) if on_screen => {
                screen::show(&format!("{error}\n"))?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let figures = Figures::between(&before.1, &now.1, now.0.duration_since(before.0));
        if on_screen {
            screen::show(&screen::page(&server.url, &figures))?;
        } else if globals.json {
            println!("{}", figures.to_json());
        } else {
            println!("{}", screen::line(&figures));
        }
        stdout().flush()?;
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
    }
}

/// What the server says of itself, and when it said so.
async fn look(server: &Server) -> anyhow::Result<(Instant, Sample)> {
    let accept = [("accept", "text/plain")];
    let answer = client::send(server, "GET", "/metrics", &accept, b"").await?;
    if answer.status != 200 {
        return Err(answer.problem().into());
    }
    let sample = Sample::parse(&String::from_utf8_lossy(&answer.body));
    if sample.of("orderd_orders_created_total").next().is_none() {
        let fix = "is it orderd that answers there? See --url.";
        let what = "Cannot read the metrics of the server.";
        let why = "it counts no orders.";
        return Err(Exit::new(Code::Failed, what, why, fix).into());
    }
    Ok((Instant::now(), sample))
}
