//! The book's reference: pages that say what the code says. Each begins with a few lines by hand, here.

use super::same;
use crate::harness::Site;
use crate::load::Client;
use domain::EventKind;
use serde_json::Value;
use setup::config::{ALIASES, DEFAULTS};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// Written at the top of each, so that nobody mends the copy.
const NOTE: &str = "<!-- Made from the code: ORDERD_REWRITE=1 cargo xtask test generated -->\n";

fn page(name: &str, text: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
    same(&format!("{path}/{name}.md"), &format!("{NOTE}{text}"));
}

#[test]
fn the_kept_list_of_settings_is_that_of_the_defaults() {
    let mut text = String::from(
        "# Configuration\n\n\
         A flag wins over the environment, that over `./.env`, `./orderd.toml`,\n\
         `$XDG_CONFIG_HOME/orderd/orderd.toml`, `/etc/orderd/orderd.toml` and the default. A misspelt setting is\n\
         refused, with the nearest name. `orderd config show --sources` says where each value came from,\n\
         `orderd config check` whether it can be used, `orderd config init` writes a file to start from.\n\n\
         A secret has a twin that names a file with it: `password_file`, `ORDERD_ADMIN_PASSWORD_FILE`.\n\
         Durations are written `250ms`, `5s`, `10m`, `12h` or `30d`.\n",
    );
    let (mut section, mut comment, mut what) = (String::new(), String::new(), String::new());
    for line in DEFAULTS.lines() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push_str(words.trim());
            comment.push(' ');
        } else if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
            write!(text, "\n## {section}\n\n").unwrap();
            text.push_str("| setting | default | variable | |\n|---|---|---|---|\n");
            comment.clear();
        } else if let Some((name, default)) = line.split_once(" = ") {
            let key = format!("{section}.{name}");
            // Two that stand together have one comment.
            if !comment.is_empty() {
                what = comment.trim().replace('|', "\\|");
            }
            let variables = variables(&key);
            writeln!(text, "| `{name}` | `{default}` | {variables} | {what} |").unwrap();
            comment.clear();
        } else {
            comment.clear();
        }
    }
    page("configuration", &text);
}

/// The variables of a setting: its own, and those that others know it by.
fn variables(key: &str) -> String {
    let own = format!("ORDERD_{}", key.replace('.', "_").to_uppercase());
    let known = ALIASES.iter().filter(|(_, it)| *it == key);
    let names = std::iter::once(own).chain(known.map(|(name, _)| (*name).to_owned()));
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn the_kept_problems_are_the_served_ones() {
    let site = Site::new(None);
    let running = site.start().unwrap();
    let mut client = Client::connect(running.address).unwrap();
    let mut get = |path: &str| {
        let answer = client.get(path).unwrap();
        String::from_utf8(answer.body).unwrap()
    };
    let mut text = String::from(
        "# Problems\n\n\
         Every error is a problem document (RFC 9457, `application/problem+json`). Match on `code`, which never\n\
         changes its meaning; show `detail` to people. `retryable` says whether the same request, under the same\n\
         `Idempotency-Key`, may succeed later. [How to treat them](../using/errors.md).\n\n\
         Each is also served, at `/problems/` and the code with hyphens.\n",
    );
    let list = get("/problems");
    let paths = list.lines().filter_map(|line| line.rsplit_once(": "));
    for (_, path) in paths {
        let explained = get(path);
        let (title, rest) = explained.split_once("\n\n").unwrap();
        let (facts, help) = rest.split_once("\n\n").unwrap();
        let fact = |name: &str| {
            let mut facts = facts.lines();
            facts.find_map(|line| line.strip_prefix(name)).unwrap()
        };
        let code = fact("Code: ").trim_matches('`');
        let (status, retry) = (fact("Status: "), fact("Worth a retry: "));
        let title = title.trim_start_matches("# ");
        write!(
            text,
            "\n## {code}\n\n**{status}. {title}.** {}\n\n",
            help.trim()
        )
        .unwrap();
        writeln!(text, "Worth a retry: {retry}.").unwrap();
    }
    assert!(text.matches("\n## ").count() > 30, "{text}");
    page("problems", &text);
}

#[test]
fn the_kept_metrics_are_the_served_ones() {
    let site = Site::new(None);
    let running = site.start().unwrap();
    let mut client = Client::connect(running.address).unwrap();
    worked_on(&mut client);
    let begun = Instant::now();
    let served = loop {
        let served = client.get("/metrics").unwrap().body;
        let served = String::from_utf8(served).unwrap();
        // What has ended is counted a moment after that.
        if served.contains("\norderd_orders_finished_total{") {
            break served;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{served}");
    };
    let mut text = String::from(
        "# Metrics\n\n\
         `GET /metrics`, in the text format of Prometheus and OpenMetrics. Labels have few values, known beforehand:\n\
         `http_route` is a route's template, never the path that was asked for. What to watch, and what to do\n\
         when an alert fires, is in [monitoring](../operations/monitoring.md).\n\n\
         | metric | type | labels | |\n|---|---|---|---|\n",
    );
    let mut metrics = BTreeMap::new();
    for line in served.lines() {
        let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|it| it.split_once(' '))
        else {
            continue;
        };
        metrics.insert(name, help);
    }
    for (name, help) in &metrics {
        let of = format!("# TYPE {name} ");
        let kind = served.lines().find_map(|line| line.strip_prefix(&of));
        let shown = match kind.unwrap() {
            "counter" if !name.ends_with("_total") => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => (*name).to_owned(),
        };
        let (kind, labels) = (kind.unwrap(), labels(&served, name));
        writeln!(text, "| `{shown}` | {kind} | {labels} | {help} |").unwrap();
    }
    page("metrics", &text);
}

/// Has an order placed and completed, so that what is counted of it is shown.
fn worked_on(client: &mut Client) {
    let body = r#"{"customer_id":"ada","lines":[{"item_id":"pen","quantity":1}]}"#;
    let length = body.len();
    let request = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: metrics\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let placed = client.send(&request).unwrap();
    let order: Value = serde_json::from_slice(&placed.body).unwrap();
    assert_eq!(placed.status, 201, "{order}");
    let path = format!("/v1/orders/{}", order["order_id"].as_str().unwrap());
    let begun = Instant::now();
    loop {
        let order = client.get(&path).unwrap().body;
        let order: Value = serde_json::from_slice(&order).unwrap();
        if order["status"] == "completed" {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{order}");
        std::thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
}

/// The labels that the lines of a metric have.
fn labels(served: &str, name: &str) -> String {
    let is_of = |line: &&str| line.starts_with(name);
    let inside = served.lines().filter(is_of).filter_map(|line| {
        let (_, rest) = line.split_once('{')?;
        Some(rest.split_once('}')?.0)
    });
    let names: BTreeSet<String> = inside
        .flat_map(|labels| labels.split("\",").map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|label| Some(label.split_once('=')?.0.to_owned()))
        .filter(|label| label != "le")
        .collect();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[test]
fn the_kept_events_are_those_there_are() {
    let source = include_str!("../../../../domain/src/event.rs");
    let (_, kinds) = source.split_once("pub enum EventKind {").unwrap();
    let (kinds, _) = kinds.split_once("\n}").unwrap();
    let docs: Vec<&str> = kinds
        .lines()
        .filter_map(|line| line.trim().strip_prefix("/// "))
        .collect();
    assert_eq!(docs.len(), EventKind::all().count(), "a line for each kind");
    let mut text = String::from(
        "# Events\n\n\
         What happened to an order, in the past tense, written by the commit that made it true. An event is a\n\
         CloudEvents 1.0 object: `id` names it for ever, however often it is told; `subject` is the order;\n\
         `sequence` counts the events of an order, without gaps; `data.order` is the order as it was placed (of\n\
         `order.created.v1`), `data.detail` what there is to say of others. A type with another meaning would be\n\
         `.v2`; fields may be added.\n\n\
         Those that are told are in [live updates](../using/live-updates.md), [webhooks](../using/webhooks.md) and\n\
         [topics](../queues.md); the others only in the order's own timeline. For programs they are described in\n\
         [asyncapi.json](../asyncapi.json), also served at `/asyncapi.json`.\n\n\
         | type | told | |\n|---|---|---|\n",
    );
    for (kind, what) in EventKind::all().zip(docs) {
        let told = if kind.is_public() { "yes" } else { "" };
        writeln!(text, "| `{}` | {told} | {what} |", kind.as_str()).unwrap();
    }
    page("events", &text);
}

#[test]
fn the_kept_command_line_is_that_of_the_binary() {
    let mut text = String::from(
        "# Command line\n\n\
         Data goes to stdout, all else to stderr; `--json` prints data as JSON. What `orderd help` says, command by\n\
         command; every command also takes the global options that stand here once.\n\n\
         ## Exit codes\n\n\
         | code | |\n|---|---|\n\
         | 0 | it is done |\n\
         | 1 | it failed |\n\
         | 2 | the command line is not one |\n\
         | 3 | the configuration cannot be used |\n\
         | 4 | something could not be bound, opened or reached |\n\
         | 5 | a check found problems (`verify`, `doctor`) |\n\
         | 75 | not now; try later |\n",
    );
    commands(&mut text, &[], 2);
    page("command-line", &text);
}

/// What a command's help says, and that of those below it.
fn commands(text: &mut String, path: &[&str], level: usize) {
    let output = Command::new(env!("CARGO_BIN_EXE_orderd"))
        .args(path)
        .arg("--help")
        .env_clear()
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let shown = match help.split_once("\nGlobal options:") {
        // What all commands have is said once, of the first.
        Some((own, _)) if !path.is_empty() => own,
        _ => &help,
    };
    let shown: Vec<&str> = shown
        .lines()
        .filter(|line| {
            !line.trim_start().starts_with("-h, ") && !line.trim_start().starts_with("-V, ")
        })
        .filter(|line| !line.contains("Print this message or the help"))
        .collect();
    let (heading, name) = ("#".repeat(level), path.join(" "));
    let name = format!("orderd {name}");
    write!(
        text,
        "\n{heading} {}\n\n```text\n{}\n```\n",
        name.trim(),
        shown.join("\n").trim()
    )
    .unwrap();
    let below = help
        .split_once("\nCommands:\n")
        .map_or("", |(_, rest)| rest);
    let below = below.split("\n\n").next().unwrap();
    for line in below.lines() {
        let is_one = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().unwrap_or_default();
        if is_one && name != "help" {
            commands(text, &[path, &[name]].concat(), (level + 1).min(3));
        }
    }
}
