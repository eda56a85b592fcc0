//! `orderd config`: what is configured, whether it can be used, and a file to start from.

use crate::Globals;
use setup::config::{Config, DEFAULTS, keys, load, shown};
use setup::exit::{Code, Exit};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print every setting with its value
    Show {
        /// Say where each value comes from
        #[arg(long)]
        sources: bool,
    },
    /// Say whether the configuration can be used
    Check,
    /// Write every setting with its default to ./orderd.toml
    Init,
}

/// Runs the sub-command.
pub(crate) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.verb {
        Verb::Show { .. } if globals.json => show_json(&load(globals, Vec::new())?),
        Verb::Show { sources } => show(&load(globals, Vec::new())?, sources),
        Verb::Check => check(&load(globals, Vec::new())?),
        Verb::Init => init()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, sources: bool) {
    let mut section = String::new();
    for key in keys() {
        let found = &config.values[&key];
        let (of, name) = key.split_once('.').unwrap_or(("", &key));
        if of != section {
            let blank = if section.is_empty() { "" } else { "\n" };
            println!("{blank}[{of}]");
            of.clone_into(&mut section);
        }
        let line = format!("{name} = {}", shown(&key, &found.value));
        if sources {
            println!("{line:<44} # {}", found.origin);
        } else {
            println!("{line}");
        }
    }
    warn(config);
}

fn show_json(config: &Config) {
    let settings: serde_json::Map<_, _> = config
        .values
        .iter()
        .map(|(key, found)| {
            let value = shown(key, &found.value);
            (
                key.clone(),
                serde_json::json!({"value": value, "source": found.origin.to_string()}),
            )
        })
        .collect();
    println!("{}", serde_json::Value::Object(settings));
    warn(config);
}

fn check(config: &Config) {
    warn(config);
    eprintln!(
        "The configuration can be used. It comes from: {}.",
        config.origins()
    );
}

fn warn(config: &Config) {
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
}

fn init() -> Result<(), Exit> {
    let refused = |error: io::Error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let why = "./orderd.toml is already there, and what it holds is somebody's work.";
            let fix = "edit that file, or move it away and run this again.";
            Exit::new(Code::Failed, "Nothing was written.", why, fix)
        } else {
            let fix = "go to a directory that you may write.";
            Exit::new(Code::Failed, "Cannot write ./orderd.toml.", error, fix)
        }
    };
    // Never over an existing file: what it holds is somebody's work.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open("orderd.toml")
        .map_err(refused)?;
    file.write_all(DEFAULTS.as_bytes()).map_err(refused)?;
    eprintln!(
        "Wrote ./orderd.toml: every setting with its default. Keep there only what you change."
    );
    Ok(())
}
