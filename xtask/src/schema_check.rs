//! `cargo xtask schema-check`: whether what the descriptions say is what the server does. Each is
//! held against the rules of its own standard; then schemathesis makes requests of the API's
//! description, right and wrong ones, and looks whether the answers are those described; then a
//! browser opens the pages that show it.
//!
//! What it may not expect of the server, and why, is in `schema_check/schemathesis.toml`.

use crate::compiled;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;
use tempfile::TempDir;
use xtask::finish;
use xtask::npm::Packages;
use xtask::servers::daemon::{Daemon, free_port};
use xtask::tools::{Venv, from_debian, output};

const SCHEMATHESIS: Venv = Venv {
    name: "schemathesis",
    packages: &[
        "jsonschema==4.26.0",
        "openapi-spec-validator==0.9.0",
        "schemathesis==4.32.5",
    ],
};
const ASYNCAPI: Packages = Packages {
    name: "asyncapi",
    packages: &["@asyncapi/parser@3.6.3"],
};
const BROWSER: Packages = Packages {
    name: "playwright",
    packages: &["playwright-core@1.65.1"],
};
/// What schemathesis does not try, and why.
const EXCLUDED: [(&str, &str); 1] = [(
    "stream_events",
    "a stream has no end that it could wait for; orderd/tests/it/live.rs reads it",
)];
/// These list all that there is, without pages: they are tried while that is little.
const UNPAGED: [&str; 2] = ["list_contract_orders", "list_contract_products"];
/// Cases an operation.
const CASES: &str = "1000";
/// The same cases in every run.
const SEED: &str = "1";

/// Checks every description, and prints how long it took.
pub(crate) fn run(root: &Path) -> Result<()> {
    let orderd = compiled::orderd(root)?;
    let scripts = root.join("xtask/src/schema_check");

    documents(&orderd, &scripts)?;
    let server = Server::start(&orderd)?;
    pages(&server, &scripts)?;
    requests(&orderd, &server, &scripts)
}

/// Whether each description is one by the rules of its standard.
fn documents(orderd: &Path, scripts: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    for name in ["openapi", "asyncapi", "config"] {
        let text = output(Command::new(orderd).args(["schema", name]))?;
        fs::write(directory.path().join(format!("{name}.json")), text)?;
    }
    let python = SCHEMATHESIS.program("python")?;
    let mut rules = Command::new(python);
    rules.arg(scripts.join("documents.py"));
    finish(
        rules
            .arg(directory.path())
            .arg(scripts.join("../../../config.default.toml")),
    )?;
    let mut parser = ASYNCAPI.script(&scripts.join("asyncapi.mjs"))?;
    finish(parser.arg(directory.path().join("asyncapi.json")))
}

/// Whether the pages for people load in a browser, ask no other host, and break no rule of theirs.
fn pages(server: &Server, scripts: &Path) -> Result<()> {
    let chromium = from_debian("chromium", &["chromium"])?;
    let mut browser = BROWSER.script(&scripts.join("pages.mjs"))?;
    finish(browser.arg(chromium).arg(server.url()))
}

/// Whether requests made of the description are answered as it says. Half of the operations are tried
/// by one process, half by another: making requests takes more time than answering them.
fn requests(orderd: &Path, server: &Server, scripts: &Path) -> Result<()> {
    let begun = Instant::now();
    for (operation, why) in EXCLUDED {
        println!("NOT TRIED: {operation}, since {why}");
    }
    let [unpaged, halves @ ..] = parts(orderd)?;
    let program = SCHEMATHESIS.program("schemathesis")?;
    let (url, token_id) = (server.url(), &server.token_id);
    let token = format!("Authorization: Bearer {}", server.token);
    let tried = |part: &[String]| {
        // It leaves notes where it runs.
        let directory = tempfile::tempdir()?;
        for name in ["schemathesis.toml", "hooks.py"] {
            fs::copy(scripts.join(name), directory.path().join(name))?;
        }
        let mut command = Command::new(&program);
        command
            .args(["run", &format!("{url}/openapi.json")])
            .args(["--no-color", "--seed", SEED, "--max-examples", CASES])
            .args(["--phases", "examples,coverage,fuzzing,stateful"])
            .args(["--header", &token])
            .args(part.iter().flat_map(|it| ["--include-operation-id", it]))
            .env("OWN_TOKEN_ID", token_id)
            .current_dir(directory.path());
        output(&mut command)
    };
    println!("{}", tried(&unpaged)?);
    let tried = &tried;
    let said: Vec<Result<String>> = thread::scope(|scope| {
        let start = |half| scope.spawn(move || tried(half));
        let running = halves.each_ref().map(|half| start(half));
        let ended = running.map(|it| it.join().expect("it does not panic"));
        ended.into()
    });
    for said in said {
        println!("{}", said?);
    }
    println!(
        "{CASES} cases an operation in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The ids of all operations that are tried: those without pages, then two halves. Who empties the store
/// and who fills it are in one: each would find the other's work.
fn parts(orderd: &Path) -> Result<[Vec<String>; 3]> {
    let document = output(Command::new(orderd).args(["schema", "openapi"]))?;
    let document: Value = serde_json::from_str(&document)?;
    let paths = document["paths"].as_object().context("there are paths")?;
    let mut parts = [const { Vec::new() }; 3];
    for (path, methods) in paths {
        for operation in methods.as_object().into_iter().flat_map(|it| it.values()) {
            let Some(id) = operation["operationId"].as_str() else {
                continue;
            };
            if EXCLUDED.iter().any(|(excluded, _)| id == *excluded) {
                continue;
            }
            let part = if UNPAGED.contains(&id) {
                0
            } else if path.starts_with("/admin/") || parts[1].len() <= parts[2].len() {
                1
            } else {
                2
            };
            parts[part].push(id.to_owned());
        }
    }
    Ok(parts)
}

/// A running orderd in a directory of its own, whose payments never fail; killed when dropped.
struct Server {
    port: u16,
    token: String,
    token_id: String,
    _daemon: Daemon,
}

impl Server {
    fn start(orderd: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let token = token(orderd, &directory)?;
        let port = free_port()?;
        let mut command = Command::new(orderd);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("ORDERD_SIMULATED_FAILURE_RATE", "0")
            .env("ORDERD_SIMULATED_LATENCY_MS", "0")
            .env("ORDERD_ADMIN_PASSWORD", "for this run and no other")
            .current_dir(directory.path());
        let is_ready = move |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let said = |name: &str| -> Result<String> {
            let word = token[name].as_str();
            Ok(word.context("a token has a secret and an id")?.to_owned())
        };
        Ok(Self {
            port,
            token: said("token")?,
            token_id: said("token_id")?,
            _daemon: Daemon::start(command, directory, "-KILL", is_ready)?,
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A token that may do everything.
fn token(orderd: &Path, directory: &TempDir) -> Result<Value> {
    let mut command = Command::new(orderd);
    command.args(["token", "create", "--scope", "admin", "--json"]);
    let said = output(command.current_dir(directory.path()))?;
    Ok(serde_json::from_str(&said)?)
}
