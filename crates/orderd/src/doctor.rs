//! `orderd doctor`: what keeps orderd from working here, and how to mend it.
//!
//! It changes nothing and can run beside a server.

use crate::Globals;
use crate::client::{self, Server, url_of};
use crate::port;
use serde::Serialize;
use setup::clock::SystemClock;
use setup::config::{self, Config};
use setup::exit::{Code, Exit};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::Check;
use store::open::{Access, locate};

/// Less free space than this lets a busy database fill the disk within hours.
const FREE_MIN_BYTES: u64 = 512 << 20;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// What was looked at, and what is to be done about it.
#[derive(Serialize)]
pub(crate) struct Finding {
    pub(crate) subject: &'static str,
    pub(crate) ok: bool,
    pub(crate) detail: String,
    pub(crate) fix: Option<String>,
}

impl Finding {
    fn good(subject: &'static str, detail: impl Into<String>) -> Self {
        Self {
            subject,
            ok: true,
            detail: detail.into(),
            fix: None,
        }
    }

    fn bad(subject: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            subject,
            ok: false,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }

    /// An error in its own words: its first line, and its fix.
    fn error(subject: &'static str, error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        let (detail, fix) = text.split_once("\nFix: ").unwrap_or((&text, "see above"));
        Self::bad(subject, detail.replace("\nWhy: ", " "), fix)
    }
}

/// Runs the sub-command.
pub(crate) async fn run(_args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let findings = match config::load(globals, Vec::new()) {
        Ok(config) => examine(&config).await,
        Err(error) => {
            let mut findings = vec![Finding::error("configuration", &error)];
            findings.extend(surroundings());
            findings
        }
    };
    if globals.json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        findings.iter().for_each(print);
    }
    let healthy = findings.iter().all(|finding| finding.ok);
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        Code::Problems.into()
    })
}

fn print(finding: &Finding) {
    let Finding {
        subject,
        ok,
        detail,
        fix,
    } = finding;
    println!("{} {subject:<14} {detail}", if *ok { "✓" } else { "✗" });
    if let Some(fix) = fix {
        println!("  {:<14} Fix: {fix}", "");
    }
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = glance(config).await;
    match locate(&config.settings.database.url) {
        Ok(location) => match location.file() {
            Some(path) if !path.exists() => {
                let detail = format!("{} will be made", path.display());
                findings.push(Finding::good("database", detail));
            }
            _ => findings.extend(looked_at(config).await),
        },
        Err(error) => findings.push(Finding::error("database", &Exit::from(error).into())),
    }
    findings.push(listening(config).await);
    findings
}

/// What can be told at once, however much there is in the database.
pub(crate) async fn glance(config: &Config) -> Vec<Finding> {
    let mut findings = configuration(config);
    let location = locate(&config.settings.database.url).ok();
    if let Some(path) = location.as_ref().and_then(|location| location.file()) {
        findings.push(directory(path));
        findings.push(space(path));
        findings.extend(permissions(path, "database file"));
    }
    findings.extend(cache(config).await);
    findings.extend(permissions(Path::new(".env"), "env file"));
    findings
}

/// What can be looked at though nobody knows what is configured.
fn surroundings() -> Vec<Finding> {
    let here = Path::new("orderd.db");
    let findings = [directory(here), space(here)];
    let env_file = permissions(Path::new(".env"), "env file");
    findings.into_iter().chain(env_file).collect()
}

fn configuration(config: &Config) -> Vec<Finding> {
    if config.warnings.is_empty() {
        return vec![Finding::good("configuration", config.origins())];
    }
    let fix = "see `orderd config show --sources`";
    let finding = |warning: &String| Finding::bad("configuration", warning, fix);
    config.warnings.iter().map(finding).collect()
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn directory(path: &Path) -> Finding {
    let directory = directory_of(path);
    let shown = directory.display();
    // Only trying tells: permissions, mount options and quotas all have a say.
    match tempfile::tempfile_in(&directory) {
        Ok(_file) => Finding::good("directory", format!("{shown} can be written")),
        Err(error) => Finding::bad(
            "directory",
            format!("{shown} cannot be written: {error}"),
            format!("mkdir -p {shown} && chown $(id -u) {shown}"),
        ),
    }
}

fn space(path: &Path) -> Finding {
    let directory = directory_of(path);
    let free = match rustix::fs::statvfs(&directory) {
        Ok(figures) => figures.f_bavail.saturating_mul(figures.f_frsize),
        Err(error) => {
            let detail = format!("cannot be told for {}: {error}", directory.display());
            return Finding::bad("disk space", detail, "make the directory first");
        }
    };
    let detail = format!("{} MiB free", free >> 20);
    if free >= FREE_MIN_BYTES {
        return Finding::good("disk space", detail);
    }
    let fix = format!(
        "free some, or move the database: below {} MiB is little",
        FREE_MIN_BYTES >> 20
    );
    Finding::bad("disk space", detail, fix)
}

/// The database that is configured, as far as it can be opened.
async fn looked_at(config: &Config) -> Vec<Finding> {
    match soundness(config).await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::error("database", &error)],
    }
}

async fn soundness(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let options = config.store_options(Access::Read);
    let store = store::open(&options, &SystemClock)
        .await
        .map_err(Exit::from)?;
    let stats = store.stats().await?;
    let page = store.audit(Check::Sound, None).await?;
    store.close().await?;
    let schema = format!(
        "{}, schema version {}",
        stats.location, stats.schema_version
    );
    let sound = match page.items.first() {
        None => Finding::good("soundness", "the file is sound"),
        Some(finding) => Finding::bad(
            "soundness",
            finding.to_string(),
            "stop orderd, keep a copy of the file, and restore a backup",
        ),
    };
    Ok(vec![Finding::good("database", schema), sound])
}

async fn cache(config: &Config) -> Option<Finding> {
    let url = &config.settings.cache.redis_url;
    if url.is_empty() || config.settings.cache.disabled {
        return None;
    }
    let shown = store::open::redacted(url);
    Some(match store::cache::ping(url).await {
        Ok(()) => Finding::good("cache", format!("Redis answers at {shown}")),
        Err(why) => Finding::bad(
            "cache",
            format!("{shown} cannot be used: {why}"),
            "start Redis or mend cache.redis_url (REDIS_URL); without it the cache is in the process",
        ),
    })
}

/// Whether a file that may hold secrets can be read by everybody.
fn permissions(path: &Path, subject: &'static str) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    let others = mode & 0o007;
    Some(if others == 0 {
        Finding::good(subject, format!("{shown} has mode {mode:03o}"))
    } else {
        let detail = format!("{shown} has mode {mode:03o}: everybody on this machine can use it");
        Finding::bad(subject, detail, format!("chmod 600 {shown}"))
    })
}

async fn listening(config: &Config) -> Finding {
    let address = config.settings.server.listen;
    let url = url_of(address);
    match client::send(&Server::open(url.clone()), "GET", "/readyz", &[], b"").await {
        Ok(answer) if answer.status == 200 => {
            return Finding::good("port", format!("orderd is ready at {url}"));
        }
        Ok(answer) if answer.header("x-request-id").is_some() => {
            let detail = format!("orderd answers {} at {url}", answer.status);
            return Finding::bad(
                "port",
                detail,
                "wait until it has started or stopped; see its log",
            );
        }
        _ => {}
    }
    match port::bind(address) {
        Ok(_listener) => Finding::good("port", format!("{address} is free")),
        Err(error) => Finding::error("port", &error.into()),
    }
}
