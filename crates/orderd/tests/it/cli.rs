//! The commands that ask a running server, or have the file to themselves where none runs.

use crate::backend;
use crate::harness::{Server, Site};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct-horse-battery";

/// A command beside `site`, which knows the server only by what it is told.
fn orderd(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
    command
        .args(arguments)
        .env_clear()
        .envs(backend::environment())
        .current_dir(&site.live)
        .stdin(Stdio::null());
    command
}

/// What a command prints that asks `server` and succeeds.
pub(crate) fn asked(site: &Site, server: &Server, arguments: &[&str]) -> String {
    let url = format!("http://{}", server.address);
    let output = orderd(site, arguments)
        .args(["--url", &url])
        .env("ADMIN_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    succeeded(&output)
}

/// What a command prints that has the file to itself and succeeds.
fn alone(site: &Site, arguments: &[&str]) -> String {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = orderd(site, arguments)
        .env("ORDERD_SERVER_LISTEN", free.to_string())
        .env("ORDERD_DATABASE_URL", &site.url)
        .output()
        .unwrap();
    succeeded(&output)
}

fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn site() -> Site {
    let mut site = Site::new(None);
    site.environment.push(("ADMIN_PASSWORD", PASSWORD.into()));
    site
}

/// Where orders stay as they were placed.
fn still_site() -> Site {
    let mut site = site();
    site.environment
        .push(("ORDERD_WORKER_ENABLED", "false".into()));
    site
}

#[test]
fn an_order_is_placed_once_however_often_it_is_asked_for_and_then_listed_and_shown() {
    let site = still_site();
    let server = site.start().unwrap();
    let create = [
        "order",
        "create",
        "--customer",
        "c1",
        "--line",
        "pen:2",
        "--key",
        "k",
        "--json",
    ];

    let placed = asked(&site, &server, &create);
    assert_eq!(asked(&site, &server, &create), placed);

    let id = json(&placed)["order_id"].as_str().unwrap().to_owned();
    assert_eq!(
        asked(&site, &server, &["order", "show", &id, "--json"]),
        placed
    );
    assert_eq!(
        asked(
            &site,
            &server,
            &["order", "list", "--customer", "c1", "--json"]
        ),
        placed
    );
    let of_c1 = ["order", "list", "--customer", "c1", "--status"];
    for (status, listed) in [("created", &*placed), ("failed", "")] {
        let list = [&of_c1[..], &[status, "--json"]].concat();
        assert_eq!(asked(&site, &server, &list), listed);
    }
    let row = asked(&site, &server, &["order", "list"]);
    assert!(row.starts_with(&format!("{id}\tcreated\tc1\t1\t")), "{row}");
}

#[test]
fn a_refused_order_is_told_with_all_its_faults() {
    let site = site();
    let server = site.start().unwrap();
    let output = orderd(
        &site,
        &["order", "create", "--customer", " ", "--line", "pen:0"],
    )
    .env("ORDERD_URL", format!("http://{}", server.address))
    .output()
    .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "422, validation_failed",
        "/customer_id",
        "/lines/0/quantity",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn where_no_server_answers_the_exit_code_is_4() {
    let site = site();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    for arguments in [
        &["order", "list"][..],
        &["seed"],
        &["reset", "--yes"],
        &["bench"],
    ] {
        let output = orderd(&site, arguments)
            .args(["--url", &url])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {stderr}");
        assert!(stderr.contains("orderd serve"), "{stderr}");
    }
}

#[test]
fn seeding_again_adds_only_what_is_not_there_be_it_at_a_server_or_alone() {
    let site = site();
    let server = site.start().unwrap();
    let counts = |text: &str| {
        let seeded = json(text);
        (
            seeded["placed"].as_u64().unwrap(),
            seeded["already_there"].as_u64().unwrap(),
        )
    };
    let seed = |count| asked(&site, &server, &["seed", "--count", count, "--json"]);
    assert_eq!(counts(&seed("250")), (250, 0));
    assert_eq!(counts(&seed("300")), (50, 250));
    server.kill();

    assert_eq!(
        counts(&alone(&site, &["seed", "--count", "310", "--json"])),
        (10, 300)
    );
    let other = ["seed", "--count", "5", "--random-seed", "2", "--json"];
    assert_eq!(counts(&alone(&site, &other)), (5, 0));
    site.verify().unwrap();
}

#[test]
fn a_reset_removes_all_orders_once_it_was_confirmed() {
    let site = still_site();
    let server = site.start().unwrap();
    asked(&site, &server, &["seed", "--count", "120"]);

    asked(&site, &server, &["reset", "--dry-run"]);
    let url = format!("http://{}", server.address);
    let unasked = orderd(&site, &["reset", "--url", &url]).output().unwrap();
    assert_eq!(unasked.status.code(), Some(1), "nobody said yes");
    let locked = orderd(&site, &["reset", "--yes", "--url", &url])
        .output()
        .unwrap();
    assert_eq!(locked.status.code(), Some(3), "nobody said the password");
    assert_ne!(asked(&site, &server, &["order", "list"]), "");

    let removed = asked(&site, &server, &["reset", "--yes", "--json"]);
    assert_eq!(json(&removed)["removed"], true);
    assert_eq!(asked(&site, &server, &["order", "list"]), "");
    asked(&site, &server, &["seed", "--count", "3"]);
    server.kill();

    alone(&site, &["reset", "--yes"]);
    let seeded = json(&alone(&site, &["seed", "--count", "3", "--json"]));
    assert_eq!(seeded["placed"], 3, "the keys went with the orders");
}

#[test]
fn every_load_runs_without_an_error_and_finds_each_order_placed_once() {
    let site = site();
    let server = site.start().unwrap();
    let bench = |load: &[&str]| {
        let limits = ["bench", "--json", "--connections", "8", "--requests", "100"];
        json(&asked(&site, &server, &[&limits, load].concat()))
    };
    for (load, status) in [
        (&["--scenario", "create"][..], "201"),
        (&["--scenario", "create", "--contract", "receipt"], "201"),
        (&["--scenario", "create", "--threads", "3"], "201"),
        (&["--scenario", "replay"], "201"),
        (&["--scenario", "get"], "200"),
        (&["--scenario", "get", "--contract", "receipt"], "200"),
        (&["--scenario", "list"], "200"),
        (&["--scenario", "batch"], "200"),
    ] {
        let seen = bench(load);
        assert_eq!(
            seen["statuses"],
            serde_json::json!({ status: 100 }),
            "{load:?}: {seen}"
        );
        assert_eq!(seen["failures"], 0);
        if status == "201" {
            assert_eq!(seen["exactly_once"]["different"], 0, "{load:?}: {seen}");
            assert_eq!(seen["exactly_once"]["shared"], 0, "{load:?}: {seen}");
        }
    }
    let mixed = bench(&["--scenario", "mixed"]);
    assert_eq!(mixed["statuses"], serde_json::json!({"200": 40, "201": 60}));
    assert_eq!(mixed["exactly_once"]["checked"], 50);
}

#[test]
fn products_are_made_changed_listed_and_deleted() {
    let site = site();
    let server = site.start().unwrap();
    let create = [
        "product", "create", "pen", "--name", "Pen", "--price", "19.90",
    ];
    let made = asked(&site, &server, &create);
    assert_eq!(made, "product   pen\nname      Pen\nprice     19.90 USD\n");
    let url = format!("http://{}", server.address);
    let again = orderd(&site, &create)
        .args(["--url", &url])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr.contains("The product pen exists."), "{stderr}");

    let update = ["product", "update", "pen", "--name", "Pen", "--price", "20"];
    asked(&site, &server, &update);
    let order = [
        "order",
        "create",
        "--customer",
        "c",
        "--line",
        "pen:2",
        "--json",
    ];
    let order = json(&asked(&site, &server, &order));
    assert_eq!(order["total_minor"], 4_000);
    assert_eq!(
        asked(&site, &server, &["product", "list"]),
        "pen\tPen\t20.00 USD\n"
    );
    asked(&site, &server, &["product", "delete", "pen"]);
    assert_eq!(asked(&site, &server, &["product", "list", "--json"]), "");

    let fine = ["product", "create", "x", "--name", "x", "--price", "0.001"];
    let fine = orderd(&site, &fine).args(["--url", &url]).output().unwrap();
    let stderr = String::from_utf8_lossy(&fine.stderr).into_owned();
    assert!(stderr.contains("Cannot read the price"), "{stderr}");
}

#[test]
fn the_cache_is_looked_at_and_emptied() {
    let site = site();
    let server = site.start().unwrap();
    for _ in 0..4 {
        asked(&site, &server, &["order", "list"]);
    }
    let stats = asked(&site, &server, &["cache", "stats"]);
    if !backend::is_file() {
        // Other processes may change what one would keep to itself.
        assert!(stats.starts_with("kind      off"), "{stats}");
        return;
    }
    assert!(
        stats.starts_with("kind      in process\nhits      3 (75 %)\n"),
        "{stats}"
    );
    let stats = json(&asked(&site, &server, &["cache", "stats", "--json"]));
    assert_eq!(
        (stats["entries"].as_u64(), stats["up"].as_bool()),
        (Some(1), Some(true))
    );
    assert_eq!(
        asked(&site, &server, &["cache", "flush"]),
        "The cache is empty.\n"
    );
    let stats = json(&asked(&site, &server, &["cache", "stats", "--json"]));
    assert_eq!(stats["entries"], 0);
    let begun = Instant::now();
    while site.said("The cache was emptied") == 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody said so");
        thread::sleep(Duration::from_millis(5)); // a poll, not a guess
    }
}

#[test]
fn orders_are_exported_with_all_that_happened_to_them() {
    let site = site();
    let server = site.start().unwrap();
    asked(&site, &server, &["seed", "--count", "30"]);
    let shown = asked(
        &site,
        &server,
        &["order", "list", "--json", "--limit", "30"],
    );
    drop(server);
    let output = orderd(&site, &["export"])
        .env("ORDERD_DATABASE_URL", &site.url)
        .output()
        .unwrap();
    let exported = succeeded(&output);
    assert_eq!(exported.lines().count(), 30);
    for (line, order) in exported.lines().zip(shown.lines()) {
        let (line, order) = (json(line), json(order));
        assert_eq!(line["order"]["order_id"], order["order_id"]);
        let events = line["events"].as_array().unwrap();
        assert_eq!(events[0]["type"], "order.created.v1");
        // What was taken is what was posted.
        let taken: i64 = line["transfers"]
            .as_array()
            .unwrap()
            .iter()
            .fold(0, |sum, it| {
                let is_money = it["asset"].as_str().unwrap().starts_with("USD");
                let posted = is_money && it["kind"] == "posted";
                sum + if posted {
                    it["amount"].as_i64().unwrap()
                } else {
                    0
                }
            });
        assert_eq!(line["order"]["captured_minor"], taken);
    }
    let file = site.live.join("orders.jsonl");
    let mut again = orderd(&site, &["export", "--out"]);
    again.arg(&file).env("ORDERD_DATABASE_URL", &site.url);
    assert_eq!(succeeded(&again.output().unwrap()), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    assert!(!again.status().unwrap().success(), "a file was overwritten");
}

#[test]
fn demo_orders_are_about_demo_products_and_have_prices() {
    let site = site();
    let server = site.start().unwrap();
    asked(&site, &server, &["seed", "--count", "20"]);
    assert_eq!(
        asked(&site, &server, &["product", "list"]).lines().count(),
        12
    );
    let orders = asked(&site, &server, &["order", "list", "--json"]);
    for order in orders.lines() {
        assert!(
            json(order)["total_minor"].as_i64().unwrap() >= 890,
            "{order}"
        );
    }
    let again = json(&asked(&site, &server, &["seed", "--count", "20", "--json"]));
    assert_eq!(
        (again["placed"].as_u64(), again["already_there"].as_u64()),
        (Some(0), Some(20))
    );
    let other = ["seed", "--count", "20", "--random-seed", "2", "--json"];
    assert_eq!(json(&asked(&site, &server, &other))["placed"], 20);
}

#[test]
fn reads_and_writes_are_benched_in_the_proportion_that_was_asked_for() {
    let site = site();
    let server = site.start().unwrap();
    for contract in ["v1", "basket"] {
        let bench = [
            "bench",
            "--read-percent",
            "90",
            "--requests",
            "300",
            "--connections",
            "4",
            "--contract",
            contract,
            "--json",
        ];
        let summary = json(&asked(&site, &server, &bench));
        assert_eq!(summary["scenario"], "90 % reads");
        let statuses = &summary["statuses"];
        let (read, placed) = (statuses["200"].as_u64(), statuses["201"].as_u64());
        assert_eq!(read.unwrap() + placed.unwrap(), 300, "{summary}");
        assert!((20..=40).contains(&placed.unwrap()), "{summary}");
        assert_eq!(summary["exactly_once"]["different"], 0, "{summary}");
    }
}

#[test]
fn an_order_is_watched_to_its_end_and_one_that_was_given_up_is_brought_back() {
    let mut site = site();
    let environment = [
        ("ORDERD_SIMULATED_DECLINE_RATE", "1.0"),
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.0"),
    ];
    site.environment
        .extend(environment.map(|(name, value)| (name, value.into())));
    let server = site.start().unwrap();
    let set = ["stock", "set", "pen", "5", "--reason", "stocktaking"];
    assert!(asked(&site, &server, &set).contains("available  5"));
    let create = [
        "order",
        "create",
        "--customer",
        "c1",
        "--line",
        "pen:2",
        "--json",
    ];
    let id = json(&asked(&site, &server, &create))["order_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let watched = asked(&site, &server, &["order", "watch", &id]);
    for event in [
        "order.created",
        "stock.reserved",
        "payment.declined",
        "order.failed",
    ] {
        assert!(watched.contains(event), "{watched}");
    }
    let shown = asked(&site, &server, &["order", "show", &id]);
    assert!(
        shown.contains("failure   payment_declined at authorise"),
        "{shown}"
    );
    let adjust = ["stock", "adjust", "pen", "-1", "--reason", "broken"];
    assert!(asked(&site, &server, &adjust).contains("on hand    4"));
    let show = ["stock", "show", "pen"];
    assert!(asked(&site, &server, &show).contains("reserved   0"));

    let letters = asked(&site, &server, &["dlq", "list", "--json"]);
    let letter = json(&letters)["letter_id"].as_str().unwrap().to_owned();
    let shown = asked(&site, &server, &["dlq", "show", &letter]);
    assert!(
        shown.contains("payment_declined") && shown.contains(&id),
        "{shown}"
    );
    let dry = asked(&site, &server, &["dlq", "redrive", "--all", "--dry-run"]);
    assert_eq!(dry, "1 letters match; 0 orders are tried anew.\n");
    let redrive = ["dlq", "redrive", &letter, "--reason", "a new card"];
    let redriven = asked(&site, &server, &redrive);
    assert!(redriven.contains("redriven"), "{redriven}");
    let timeline = asked(&site, &server, &["order", "timeline", &id]);
    assert!(timeline.contains("a new card"), "{timeline}");
    asked(&site, &server, &["order", "watch", &id]);
    let letters = asked(&site, &server, &["dlq", "list", "--json"]);
    let letter = json(&letters)["letter_id"].as_str().unwrap().to_owned();
    let discard = ["dlq", "discard", &letter, "--reason", "the card is gone"];
    assert!(asked(&site, &server, &discard).contains("discarded"));
    assert_eq!(asked(&site, &server, &["dlq", "list"]), "");
    let late = orderd(&site, &["order", "cancel", &id, "--reason", "late"])
        .args(["--url", &format!("http://{}", server.address)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&late.stderr);
    assert_eq!(late.status.code(), Some(1), "{said}");
    assert!(said.contains("illegal_transition"), "{said}");
    assert_eq!(site.verify(), Ok(()));
}
