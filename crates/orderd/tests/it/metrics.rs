//! `/metrics` as those who scrape it meet it: its names, how many series there may be, and that all
//! that dashboard and alerts ask for is there.

use crate::harness::{Server, Site};
use crate::load::{Client, Placing};
use crate::service::{ORDER, Service};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// How long orders may take to their end.
const END_MAX: Duration = Duration::from_mins(1);
/// What a scrape adds to each sample.
const OF_A_SCRAPE: [&str; 2] = ["job", "instance"];

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[tokio::test]
async fn what_clients_make_up_adds_no_series() {
    let service = Service::new().await;
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let shapes = ["/{}", "/v1/orders/{}", "/orders/{}", "/v1/{}/a", "/{}?a={}"];
    let ask = async |method: &str, shape: &str, word: &str| {
        let path = shape.replace("{}", word);
        let key = [("idempotency-key", word), ("user-agent", word)];
        service.send(method, &path, &key, "").await;
    };
    for method in methods.into_iter().chain(["BREW0"]) {
        for shape in shapes {
            ask(method, shape, "first").await;
        }
    }
    service.get("/metrics").await;
    let before = series(&service.get("/metrics").await.body);

    for number in 0..10_000_usize {
        let word = format!("w{:x}", number.wrapping_mul(0x9e37_79b9));
        let made_up = format!("BREW{number}");
        let method = methods.get(number % 8).copied().unwrap_or(&made_up);
        ask(method, shapes[number % shapes.len()], &word).await;
    }
    let text = service.get("/metrics").await.body;
    assert_eq!(series(&text), before);
    assert!(before < 1_000, "{before}");
    assert!(!text.contains("BREW"), "{text}");
}

#[tokio::test]
async fn whoever_asks_for_openmetrics_gets_it_and_all_others_what_prometheus_reads() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let of = async |accept: &str| {
        let answer = service
            .send("GET", "/metrics", &[("accept", accept)], "")
            .await;
        let kind = answer.header("content-type").unwrap().to_owned();
        (kind, answer.body)
    };
    let scraper = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5,*/*;q=0.1";
    let (kind, text) = of(scraper).await;
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    for accept in ["*/*", "text/plain", "text/html"] {
        let (kind, text) = of(accept).await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(
            text.contains("# TYPE orderd_orders_created_total counter\n"),
            "{text}"
        );
        assert!(!text.contains("# EOF"), "{text}");
    }
}

/// A server whose orders have come to their ends, with all sorts of requests on the way.
fn run() -> (Site, Server) {
    let mut site = Site::new(None);
    for (name, value) in [
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.3"),
        ("ORDERD_SIMULATED_DECLINE_RATE", "0.1"),
        ("ORDERD_FULFILMENT_RETRY_BASE", "10ms"),
    ] {
        site.environment.push((name, value.into()));
    }
    let server = site.start().unwrap();
    let mut client = Client::connect(server.address).unwrap();
    for number in 0..40 {
        let placing = Placing::v1(format!("k{number}"), number, number % 3, 1);
        let placed = client.place(&placing).unwrap();
        assert_eq!(placed.status, 201);
        client.place(&placing).unwrap();
        let order: Value = serde_json::from_slice(&placed.body).unwrap();
        let path = format!("/v1/orders/{}", order["order_id"].as_str().unwrap());
        client.get(&path).unwrap();
    }
    let other = Placing::v1("k1".to_owned(), 99, 0, 7);
    assert_eq!(client.place(&other).unwrap().status, 409);
    (site, server)
}

fn scraped(server: &Server) -> String {
    let answer = Client::connect(server.address).unwrap().get("/metrics");
    String::from_utf8(answer.unwrap().body).unwrap()
}

/// The sum of the samples of a metric whose labels hold `part`.
fn sum(text: &str, metric: &str, part: &str) -> f64 {
    let samples = text.lines().filter(|line| {
        let rest = line.strip_prefix(metric);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(part))
    });
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    samples.map(value).sum()
}

#[test]
fn what_the_worker_does_is_counted_and_dashboard_and_alerts_ask_for_nothing_else() {
    let (site, server) = run();
    let begun = Instant::now();
    let finished = "orderd_orders_finished_total";
    while sum(&scraped(&server), finished, "") < 40.0 {
        assert!(begun.elapsed() < END_MAX, "{}", site.last_words());
        thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
    let text = scraped(&server);
    let at_least = |count: f64, metric: &str, part: &str| {
        let there = sum(&text, metric, part);
        assert!(there >= count, "{metric} {part}: {there}\n{text}");
    };
    assert!((sum(&text, "orderd_orders_created_total", "") - 40.0).abs() < 0.1);
    at_least(1.0, finished, "\"completed\"");
    at_least(1.0, "orderd_saga_step_attempts_total", "\"failed\"");
    at_least(
        30.0,
        "orderd_saga_step_duration_seconds_count",
        "\"authorise\"",
    );
    at_least(1.0, "orderd_idempotency_requests_total", "\"mismatch\"");
    at_least(1.0, "orderd_cache_requests_total", "");
    at_least(1.0, "process_resident_memory_bytes", "");
    at_least(0.01, "process_cpu_seconds_total", "");
    at_least(5.0, "process_open_fds", "");
    assert!(
        text.contains("orderd_invariant_violations{check=\"append_only\"} 0"),
        "{text}"
    );

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for file in ["grafana/orderd.json", "prometheus/rules.yml"] {
        let asked = fs::read_to_string(root.join(file))
            .unwrap()
            .replace("\\\"", "\"");
        assert_eq!(missing(&asked, &text), BTreeSet::new(), "{file}");
        assert!(named(&asked).count() > 10, "{file} asks for little");
    }
    server.kill();
}

#[test]
fn top_shows_what_happens_once_or_until_it_is_ended() {
    let (site, server) = run();
    let url = format!("http://{}", server.address);
    let of_server = ["top", "--url", &url, "--interval", "0.2"];
    let once = site.output(&[&of_server[..], &["--once"]].concat());
    assert!(once.status.success(), "{once:?}");
    let line = String::from_utf8(once.stdout).unwrap();
    assert!(
        line.starts_with("placed ") && line.lines().count() == 1,
        "{line:?}"
    );

    let mut watching = site.command("top");
    watching
        .args(&of_server[1..])
        .arg("--json")
        .stdout(Stdio::piped());
    let mut watching = watching.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let figures: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(
            figures["queues"]["fulfil"]["depth"].is_number(),
            "{figures}"
        );
        assert!(figures["memory_bytes"].as_f64().unwrap() > 1e6, "{figures}");
    }
    kill_process(Pid::from_child(&watching), Signal::INT).unwrap();
    assert!(watching.wait().unwrap().success());

    server.kill();
    let gone = site.output(&of_server);
    assert_eq!(gone.status.code(), Some(4), "{gone:?}");
}

#[test]
fn a_name_or_a_label_that_nobody_serves_is_missed() {
    let served =
        "a_b_total{step=\"x\"} 1\norderd_c 2\norderd_d_total{step=\"x\",outcome=\"y\"} 3\n";
    let missed = |asked: &str| missing(asked, served).into_iter().collect::<Vec<_>>();
    let good =
        "sum by (step, job) (rate(orderd_d_total{job=\"a\", outcome=~\"y{2}\"}[5m])) / orderd_c";
    assert_eq!(missed(good), Vec::<String>::new());
    assert_eq!(missed("max(orderd_x)"), ["orderd_x"]);
    assert_eq!(missed("orderd_c{step=\"x\"}"), ["orderd_c{step}"]);
    assert_eq!(missed("sum by (stp) (orderd_d_total)"), ["by stp"]);
    assert_eq!(missed("\"{{outcome}} {{nobody}}\""), ["by nobody"]);
}

/// The names of metrics in queries, and what follows each.
fn named(asked: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_:".contains(it);
    let ours = ["orderd_", "process_", "http_server_"];
    let mut rest = asked;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(is_part)?;
            let length = rest[start..]
                .find(|it| !is_part(it))
                .unwrap_or(rest.len() - start);
            let (word, after) = rest[start..].split_at(length);
            rest = after;
            if ours.iter().any(|prefix| word.starts_with(prefix)) {
                return Some((word, after));
            }
        }
    })
}

/// What queries ask for that an answer of `/metrics` has not.
fn missing(asked: &str, served: &str) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    let samples = |metric: &str| {
        let metric = metric.to_owned();
        served.lines().filter(move |line| {
            let rest = line.strip_prefix(&metric);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
    };
    let has = |sample: &str, label: &str| {
        sample.contains(&format!("{{{label}=\"")) || sample.contains(&format!(",{label}=\""))
    };
    // The name of a group of rules is none of a metric.
    for (metric, after) in named(asked).filter(|(name, _)| !GROUPS.contains(name)) {
        if samples(metric).next().is_none() {
            missing.insert(metric.to_owned());
        }
        for label in after.strip_prefix('{').map(selected).unwrap_or_default() {
            if !OF_A_SCRAPE.contains(&label) && !samples(metric).any(|it| has(it, label)) {
                missing.insert(format!("{metric}{{{label}}}"));
            }
        }
    }
    for label in grouped(asked) {
        if !OF_A_SCRAPE.contains(&label) && !served.lines().any(|it| has(it, label)) {
            missing.insert(format!("by {label}"));
        }
    }
    missing
}

/// What the groups of rules are called.
const GROUPS: [&str; 2] = ["orderd_recorded", "orderd_alerts"];

/// The labels of a selector, from behind its brace on.
fn selected(after: &str) -> Vec<&str> {
    let mut labels = Vec::new();
    let mut rest = after;
    while let Some((label, value)) = rest.split_once(['=', '!']) {
        labels.push(label.trim_matches([' ', ',', '~', '=']));
        let value = value.trim_start_matches(['=', '~', '!']);
        let Some(end) = value.get(1..).and_then(|it| it.find('"')) else {
            break;
        };
        rest = &value[end + 2..];
        if rest.trim_start().starts_with('}') {
            break;
        }
    }
    labels
}

/// The labels by which something is summed, and those that a legend shows.
fn grouped(asked: &str) -> Vec<&str> {
    let by = asked.split(" by (").skip(1);
    let by = by
        .filter_map(|it| it.split(')').next())
        .flat_map(|it| it.split(','));
    let shown = asked
        .split("{{")
        .skip(1)
        .filter_map(|it| it.split("}}").next());
    let shown = shown.filter_map(|it| match it.trim().strip_prefix('$') {
        None => Some(it),
        Some(value) => value.strip_prefix("labels."),
    });
    by.chain(shown).map(str::trim).collect()
}
