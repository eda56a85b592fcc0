//! `orderd`: takes each order exactly once and drives it to its end.
//!
//! The binary is wiring: this file chooses the sub-command and turns its end into an exit code.
//! What a sub-command does is in the file of its name.

mod bench;
mod client;
mod order;
mod reset;
mod seed;

use std::path::PathBuf;

/// What every sub-command understands.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Globals {
    /// Read this configuration file instead of ./orderd.toml, $XDG_CONFIG_HOME/orderd, /etc/orderd
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Do not read .env in the current directory
    #[arg(long, global = true)]
    pub(crate) no_env_file: bool,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

fn main() {}
