//! The servers that tests run against: found on this machine, or installed where that is possible.
//! A Redis each test starts for itself; a database server is started once for all, and each test
//! makes a database or a schema of its own.

pub mod daemon;
pub mod emulator;
mod mariadb;
mod postgres;

use crate::tools;
use anyhow::{Context, Result, bail};
use emulator::{Emulator, MINISTACK, MOTO, Running};
use mariadb::Mariadb;
use postgres::Postgres;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

/// The servers of a test run; those that were started are stopped when dropped.
pub struct Servers {
    /// Where the tests find them: variables of their environment.
    pub variables: Vec<(&'static str, OsString)>,
    /// The servers that orders can be kept in: the name of the engine, and its URL.
    pub databases: Vec<(&'static str, String)>,
    _started: Vec<Database>,
    /// Where a second emulator of AWS is found, in the place of the first.
    pub second_opinion: Vec<(&'static str, OsString)>,
    _emulators: Vec<Running>,
}

impl Servers {
    /// Finds, installs and starts what there is. One that `TEST_POSTGRES_URL` or `TEST_MYSQL_URL`
    /// names is taken as it is.
    ///
    /// # Errors
    /// Where one is missing and all were asked for.
    pub fn start(extent: Extent) -> Result<Self> {
        let (mut variables, mut databases) = (Vec::new(), Vec::new());
        let mut started = Vec::new();
        if let Some(path) = REDIS.needed(extent)? {
            variables.push(("ORDERD_TEST_REDIS_SERVER", path.into()));
        }
        for (name, server, there, told) in [
            (
                "postgres",
                POSTGRES,
                "TEST_POSTGRES_URL",
                "ORDERD_TEST_POSTGRES_URL",
            ),
            ("mysql", MARIADB, "TEST_MYSQL_URL", "ORDERD_TEST_MYSQL_URL"),
        ] {
            let url = match std::env::var_os(there).and_then(|url| url.into_string().ok()) {
                Some(url) => url,
                None => match server.needed(extent)? {
                    Some(program) => {
                        let failed = || format!("{} does not start", server.program);
                        let database = Database::start(name, &program).with_context(failed)?;
                        let url = database.server_url();
                        started.push(database);
                        url
                    }
                    None => continue,
                },
            };
            variables.push((told, url.clone().into()));
            databases.push((name, url));
        }
        let mut emulators = Vec::new();
        let mut second_opinion = Vec::new();
        if let Some(emulator) = emulator(&MINISTACK, extent)? {
            variables.push(("ORDERD_TEST_AWS", "1".into()));
            variables.extend(told(&emulator));
            databases.push(("dynamodb", "dynamodb://test".to_owned()));
            emulators.push(emulator);
        }
        if let Some(emulator) = emulator(&MOTO, extent)? {
            second_opinion.extend(told(&emulator));
            emulators.push(emulator);
        }
        if extent == Extent::All {
            variables.push(("ORDERD_TEST_ALL", "1".into()));
        }
        Ok(Self {
            variables,
            databases,
            _started: started,
            second_opinion,
            _emulators: emulators,
        })
    }
}

fn told(emulator: &Running) -> impl Iterator<Item = (&'static str, OsString)> {
    let all = emulator.variables().into_iter();
    all.map(|(name, value)| (name, value.into()))
}

/// An emulator of AWS; `None` where it may be missing, which is said.
fn emulator(emulator: &Emulator, extent: Extent) -> Result<Option<Running>> {
    match emulator.start() {
        Ok(running) => Ok(Some(running)),
        Err(error) if extent == Extent::All => {
            Err(error.context("an emulator of AWS does not start here"))
        }
        Err(error) => {
            println!(
                "SKIPPED: tests that need AWS, since an emulator of it does not start here \
                 ({error:#}); with --all this would be a failure."
            );
            Ok(None)
        }
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
        let (name, server) = if url.starts_with("postgres") {
            ("postgres", POSTGRES)
        } else {
            ("mysql", MARIADB)
        };
        let program = server.find().context("there is no such server here")?;
        Self::start(name, &program)
    }

    /// The id of its first process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        match &self.0 {
            Engine::Postgres(postgres) => postgres.daemon.process_id(),
            Engine::Mariadb(mariadb) => mariadb.daemon.process_id(),
        }
    }

    fn start(name: &str, program: &Path) -> Result<Self> {
        Ok(Self(match name {
            "postgres" => Engine::Postgres(Postgres::start(program)?),
            _ => Engine::Mariadb(Mariadb::start(program)?),
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

    /// Where tests make databases or schemas of their own.
    fn server_url(&self) -> String {
        match &self.0 {
            Engine::Postgres(postgres) => postgres.url(),
            Engine::Mariadb(mariadb) => mariadb.url(),
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
        let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten();
        let mut versions = versions
            .flatten()
            .map(|version| version.path().join("bin").join(self.program));
        tools::on_path(self.program).or_else(|| versions.find(|program| program.is_file()))
    }

    fn install(&self) -> Result<PathBuf> {
        tools::install(&[self.package])?;
        self.there().context("it is installed, but not found")
    }
}
