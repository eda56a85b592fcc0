//! Whether what is in `examples/` keeps its promises: each client places an order through a line that
//! loses answers, hangs and is busy, and there is one order; each receiver of webhooks takes what is
//! genuine, once, and nothing else. With `--planted`, faults are planted in copies of them, and each has
//! to be seen.

mod clients;
mod lossy;
mod planted;
mod receivers;

use crate::compiled;
use crate::deploy::server::Server;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use xtask::servers::daemon::free_port;
use xtask::tools::from_debian;

/// What an example is, which says how it is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Places an order: URL, key, order.
    Places,
    /// Walks through six steps: URL.
    Walks,
    /// Follows the stream of events: URL.
    Follows,
    /// Receives webhooks: port, with the secret in `WEBHOOK_SECRET`.
    Receives,
}

/// An example, by its path below `examples/`.
#[derive(Clone, Copy)]
struct Example(Kind, &'static str);

const EXAMPLES: [Example; 9] = [
    Example(Kind::Places, "curl/place_order.sh"),
    Example(Kind::Places, "python/place_order.py"),
    Example(Kind::Places, "javascript/place_order.mjs"),
    Example(Kind::Places, "go/place_order.go"),
    Example(Kind::Walks, "curl/six_steps.sh"),
    Example(Kind::Follows, "javascript/follow_events.mjs"),
    Example(Kind::Receives, "webhook-receiver/python/receiver.py"),
    Example(Kind::Receives, "webhook-receiver/javascript/receiver.mjs"),
    Example(Kind::Receives, "webhook-receiver/go/receiver.go"),
];

/// Tries the examples whose path holds one of `arguments`, or all.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let (options, words): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|it| it.starts_with("--"));
    let is_wanted = |path: &str| words.is_empty() || words.iter().any(|it| path.contains(*it));
    let wanted: Vec<Example> = EXAMPLES
        .into_iter()
        .filter(|example| is_wanted(example.1))
        .collect();
    ensure!(!wanted.is_empty(), "no example has such a name");
    let server = start(root)?;
    let site = Site::of(&server)?;
    let tried = side_by_side(&wanted, |example| {
        site.try_at(example, &root.join("examples"))
    });
    let mut failed = 0;
    for (example, outcome) in wanted.iter().zip(tried) {
        match outcome {
            Ok(said) => println!("{:<42} ok      {said}", example.1),
            Err(error) => {
                failed += 1;
                println!("{:<42} FAILED  {error:#}", example.1);
            }
        }
    }
    ensure!(failed == 0, "{failed} failed");
    match options.as_slice() {
        [] => Ok(()),
        [option] if *option == "--planted" => planted::run(&site, root, is_wanted),
        _ => bail!("not an option: {options:?}"),
    }
}

/// Does something for each, most of which is waiting.
fn side_by_side<T: Sync, R: Send>(all: &[T], task: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let running: Vec<_> = all.iter().map(|one| scope.spawn(|| task(one))).collect();
        let ended = running.into_iter();
        ended
            .map(|task| task.join().expect("it does not panic"))
            .collect()
    })
}

/// The server that the examples are tried against: faults on demand, and webhooks to this machine.
fn start(root: &Path) -> Result<Server> {
    let settings = [
        ("ORDERD_WEBHOOKS_ALLOW_PRIVATE", "true"),
        ("ORDERD_SIMULATED_FAILURE_RATE", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Server::start_at(
        free_port()?,
        &compiled::orderd(root)?,
        &["serve"],
        &settings,
    )
}

/// Where it is, and what the examples need to be run.
struct Site {
    port: u16,
    go: PathBuf,
}

impl Site {
    fn of(server: &Server) -> Result<Self> {
        from_debian("node", &["nodejs"])?;
        Ok(Self {
            port: server.port,
            go: from_debian("go", &["golang-go"])?,
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tries an example of those in `directory`; says what was seen.
    fn try_at(&self, example: &Example, directory: &Path) -> Result<String> {
        let program = || self.program(&directory.join(example.1));
        match example.0 {
            Kind::Places => clients::places(self, program),
            Kind::Walks => clients::walks(self, program),
            Kind::Follows => clients::follows(self, program),
            Kind::Receives => receivers::receives(self, program),
        }
    }

    /// How an example is started: what is of Go is compiled first, which `go run` does not end with its
    /// parent.
    fn program(&self, path: &Path) -> Result<Command> {
        let extension = path.extension().and_then(|it| it.to_str());
        let interpreted = |by: &str| {
            let mut command = Command::new(by);
            command.arg(path);
            command
        };
        Ok(match extension {
            Some("py") => interpreted("python3"),
            Some("mjs") => interpreted("node"),
            Some("sh") => interpreted("bash"),
            _ => {
                let binary = xtask::tools::below_target("examples").join(fingerprint(path)?);
                let mut build = Command::new(&self.go);
                build.arg("build").arg("-o").arg(&binary).arg(path);
                xtask::tools::output(&mut build)?;
                Command::new(binary)
            }
        })
    }
}

/// A name for what is built of a file: its directory's and its own.
fn fingerprint(path: &Path) -> Result<String> {
    let name = path.to_str().context("the path is text")?;
    Ok(name.replace('/', "-"))
}
