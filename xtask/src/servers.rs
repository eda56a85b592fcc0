//! The servers that tests run against: found on this machine, or installed where that is possible.
//! A Redis each test starts for itself; a database server is started once for all, and each test
//! makes a database or a schema of its own.

mod daemon;
mod mariadb;
mod postgres;

use crate::finish;
use anyhow::{Context, Result, bail};
use mariadb::Mariadb;
use postgres::Postgres;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A server that some tests need.
struct Server {
    program: &'static str,
    /// Debian's package that has it.
    package: &'static str,
    /// Where a developer says which one to take.
    chosen_by: &'static str,
}

const REDIS: Server = Server {
    program: "redis-server",
    package: "redis-server",
    chosen_by: "TEST_REDIS_SERVER",
};
const POSTGRES: Server = Server {
    program: "postgres",
    package: "postgresql",
    chosen_by: "TEST_POSTGRES_SERVER",
};
const MARIADB: Server = Server {
    program: "mariadbd",
    package: "mariadb-server",
    chosen_by: "TEST_MARIADB_SERVER",
};
/// Where Debian's packages put what is not on the PATH, a directory for each version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Whether a test may be skipped for want of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It fails instead.
    All,
    /// It may, and says so.
    WhatIsThere,
}

/// The servers of a test run; those that run are stopped when dropped.
pub struct Servers {
    /// Where the tests find them: variables of their environment.
    pub variables: Vec<(&'static str, OsString)>,
    postgres: Option<Postgres>,
    mariadb: Option<Mariadb>,
}

impl Servers {
    /// Finds, installs and starts what there is.
    ///
    /// # Errors
    /// Where one is missing and all were asked for.
    pub fn start(extent: Extent) -> Result<Self> {
        let mut variables = Vec::new();
        if let Some(path) = REDIS.needed(extent)? {
            variables.push(("ORDERD_TEST_REDIS_SERVER", path.into()));
        }
        let postgres = match POSTGRES.needed(extent)? {
            Some(path) => Some(Postgres::start(&path).context("PostgreSQL does not start")?),
            None => None,
        };
        if let Some(postgres) = &postgres {
            variables.push(("ORDERD_TEST_POSTGRES_URL", postgres.url().into()));
        }
        let mariadb = match MARIADB.needed(extent)? {
            Some(path) => Some(Mariadb::start(&path).context("MariaDB does not start")?),
            None => None,
        };
        if let Some(mariadb) = &mariadb {
            variables.push(("ORDERD_TEST_MYSQL_URL", mariadb.url().into()));
        }
        if extent == Extent::All {
            variables.push(("ORDERD_TEST_ALL", "1".into()));
        }
        Ok(Self {
            variables,
            postgres,
            mariadb,
        })
    }
}

impl Servers {
    /// The servers that orders can be kept in, by the name of their engine.
    #[must_use]
    pub fn databases(&self) -> Vec<(&'static str, String)> {
        let postgres = self.postgres.iter().map(|it| ("postgres", it.url()));
        let mariadb = self.mariadb.iter().map(|it| ("mysql", it.url()));
        postgres.chain(mariadb).collect()
    }
}

/// A database server of one test's own, empty; stopped when dropped.
pub struct Database(Engine);

enum Engine {
    Postgres(Postgres),
    Mariadb(Mariadb),
}

impl Database {
    /// Starts one of the engine that a URL is of.
    ///
    /// # Errors
    /// Where it is not here, or does not start.
    pub fn like(url: &str) -> Result<Self> {
        let found = |server: &Server| server.find().context("there is no such server here");
        Ok(Self(if url.starts_with("postgres") {
            Engine::Postgres(Postgres::start(&found(&POSTGRES)?)?)
        } else {
            Engine::Mariadb(Mariadb::start(&found(&MARIADB)?)?)
        }))
    }

    /// A database of it.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.0 {
            Engine::Postgres(postgres) => postgres.url(),
            Engine::Mariadb(mariadb) => format!("{}/orders", mariadb.url()),
        }
    }

    /// Ends it at once, as a crash would, and starts it again; it is ready when this returns.
    ///
    /// # Errors
    /// Where it does not start any more.
    pub fn restart(&mut self) -> Result<()> {
        match &mut self.0 {
            Engine::Postgres(postgres) => postgres.daemon.restart(),
            Engine::Mariadb(mariadb) => mariadb.daemon.restart(),
        }
    }
}

impl Server {
    /// Where it is; `None` where it may be missing, which is said.
    fn needed(&self, extent: Extent) -> Result<Option<PathBuf>> {
        let found = self.find();
        if found.is_some() {
            return Ok(found);
        }
        let (program, variable) = (self.program, self.chosen_by);
        if extent == Extent::All {
            bail!(
                "there is no {program}, and it cannot be installed here\nFix: install it, as root, \
                 or name one in {variable}"
            );
        }
        println!(
            "SKIPPED: the tests that need {program}. Install it, or name one in {variable}; with \
             --all this would be a failure."
        );
        Ok(None)
    }

    fn find(&self) -> Option<PathBuf> {
        let chosen = std::env::var_os(self.chosen_by).map(PathBuf::from);
        chosen.or_else(|| self.there()).or_else(|| {
            self.install()
                .inspect_err(|error| println!("Cannot install {}: {error:#}", self.package))
                .ok()
        })
    }

    fn there(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten();
        let versions = versions.flatten().map(|version| version.path().join("bin"));
        std::env::split_paths(&path)
            .chain(versions)
            // Not on the PATH of everybody who may run it.
            .chain(["/usr/sbin".into()])
            .map(|directory| directory.join(self.program))
            .find(|program| program.is_file())
    }

    fn install(&self) -> Result<PathBuf> {
        println!("Installing {} for the tests", self.package);
        apt(&["update", "-qq"])?;
        apt(&[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            self.package,
        ])?;
        self.there().context("it is installed, but not found")
    }
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Tests start their own: in this run level the package's service is not started.
        .env("RUNLEVEL", "1");
    finish(&mut command)
}
