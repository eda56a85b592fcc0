//! The orders of older systems, taken over with their ids, keys and answers.

use crate::backend;
use crate::harness::{Site, Tally};
use crate::load::{Client, Placing};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const NUMBERED: &str = "
    create table orders (order_id integer primary key, status varchar, customer_id varchar,
      item_id varchar, quantity integer, created datetime, updated datetime);
    create table ledger (ledger_id varchar primary key, order_id integer unique, created datetime);
    create table idempotency_records (idem_key varchar primary key, req_id varchar,
      req_status varchar, req_hash varchar, req_response text, req_code integer, timestamp datetime);
    insert into orders values (1, 'created', 'cust1', 'item1', 1, '2025-03-04 05:06:07.891011', null),
      (2, 'created', 'cust2', 'item1', 2, '2025-03-04 05:06:08', null),
      (3, 'created', 'cust3', 'item1', 3, null, null);
    insert into ledger values ('a', 1, null), ('b', 2, null), ('stray', 9, null);
    insert into idempotency_records values
      ('k-1', 'r', 'completed', 'h', '{\"order_id\":1,\"status\":\"created\"}', 201, null),
      ('k-2', 'r', 'completed', 'h', '{\"order_id\": 2, \"status\": \"created\"}', 201, null),
      ('ghost', 'r', 'completed', 'h', '{\"order_id\":77}', 201, null);";

const RECEIPTS: &str = "
    create table orders (order_id text primary key, customer_id text, item_id text,
      quantity integer, status text, idempotency_key text unique);
    create table ledger (ledger_id integer primary key, order_id text, customer_id text,
      quantity integer, timestamp text);
    create table idempotency_records (idempotency_key text primary key, request_body_hash text,
      response_body text, status_code integer, timestamp text);
    insert into orders values
      ('f81d4fae-7dec-41d0-a765-00a0c91e6bf6', 'cust1', 'item1', 1, 'created', 'one-1'),
      ('0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d', 'cust1', 'item1', 1, 'created', 'one-2');
    insert into ledger values (1, 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6', 'cust1', 1, null);
    insert into idempotency_records values
      ('one-1', 'h', '{\"order_id\":\"f81d4fae-7dec-41d0-a765-00a0c91e6bf6\",\"status\":\"created\"}',
        201, null);";

const BASKETS: &str = "
    create table orders (id char(36) primary key, customer_name varchar(80), status varchar(20));
    create table order_items (id integer primary key, item_name varchar(80), quantity integer,
      order_id char(36));
    insert into orders values ('9b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4', 'Ada', 'shipped'),
      ('8b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4', 'Bob', 'received');
    insert into order_items values (1, 'Pen', 2, '9b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4'),
      (2, 'Ink', 1, '9b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4'),
      (3, 'Ink', 1, '8b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4'),
      (4, 'Ink', 1, '7b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4');";

#[test]
fn an_old_key_replays_its_old_answer_and_an_order_goes_by_its_old_number() {
    let site = Site::new(None);
    let source = source(&site, NUMBERED);
    let would = import(&site, &source, &["--dry-run"]);
    assert_eq!(
        (&would["orders"], &would["rejected"]),
        (&json!(2), &json!(3))
    );
    let told = import(&site, &source, &[]);
    assert_eq!((&told["orders"], &told["keys"]), (&json!(2), &json!(2)));
    let reasons = rejects(&site);
    for (row, reason) in [
        ("3", "it has 0 ledger entries, not one"),
        ("ghost", "no order is what its answer says"),
        ("stray", "there is no order 9"),
    ] {
        let there = |it: &Value| it["row"] == row && it["reason"] == reason;
        assert!(reasons.iter().any(there), "{row}: {reasons:?}");
    }
    // As when the first had been cut off.
    let again = import(&site, &source, &[]);
    assert_eq!(
        (&again["orders"], &again["there_already"]),
        (&json!(0), &json!(2))
    );

    let server = site.start().unwrap();
    let mut client = Client::connect(server.address).unwrap();
    let mut post = |key: &str, quantity: u64| {
        let body = json!({ "customer_id": "cust2", "item_id": "item1", "quantity": quantity });
        let placing = Placing {
            path: "/orders",
            key: key.to_owned(),
            body: body.to_string(),
        };
        client.place(&placing).unwrap()
    };
    let replay = post("k-2", 2);
    assert_eq!(
        (replay.status, &*replay.body),
        (201, &br#"{"order_id": 2, "status": "created"}"#[..])
    );
    assert_eq!(post("k-2", 5).status, 409);
    let shown = client.get("/orders/2").unwrap();
    let shown: Value = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!(
        (&shown["order_id"], &shown["quantity"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(client.get("/orders/02").unwrap().status, 404);
    let detail = client.get("/v1/orders/1").unwrap();
    let detail: Value = serde_json::from_slice(&detail.body).unwrap();
    assert_eq!(detail["created_at"], "2025-03-04T05:06:07.891Z");
    sound(&site);
}

#[test]
fn orders_of_all_three_systems_share_a_store_under_their_own_ids() {
    let site = Site::new(None);
    for (tables, orders) in [(NUMBERED, 2), (RECEIPTS, 1), (BASKETS, 2)] {
        let told = import(&site, &source(&site, tables), &[]);
        assert_eq!(told["orders"], orders, "{told}");
    }
    let server = site.start().unwrap();
    let mut client = Client::connect(server.address).unwrap();
    let mut shown = |id: &str| -> Value {
        let answer = client.get(&format!("/orders/{id}")).unwrap();
        assert_eq!(answer.status, 200, "{id}");
        serde_json::from_slice(&answer.body).unwrap()
    };
    let receipt = shown("f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
    assert_eq!(receipt["order_id"], "f81d4fae-7dec-41d0-a765-00a0c91e6bf6");
    let basket = shown("9b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4");
    assert_eq!(basket["status"], "shipped");
    assert_eq!(basket["items"][1], json!({ "name": "Ink", "quantity": 1 }));
    let new = shown("8b2e4d1c-0f3a-4b5c-8d6e-7f8091a2b3c4");
    assert_eq!(new["status"], "received");
    sound(&site);
}

#[test]
fn what_is_none_of_theirs_is_refused() {
    let site = Site::new(None);
    let foreign = source(
        &site,
        "create table something (else integer);"
            .replace("else", "it")
            .as_str(),
    );
    for (source, why) in [
        (foreign.display().to_string(), "the tables of none"),
        ("nothing.db".to_owned(), "unable to open"),
        ("postgres://u:secret@h/d".to_owned(), "none of them"),
        ("ftp://x".to_owned(), "Cannot use the database URL"),
    ] {
        let output = command(&site, Path::new(&source), &[]).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && words.contains(why),
            "{source}: {words}"
        );
        assert!(
            words.contains("\nFix: ") && !words.contains("secret"),
            "{words}"
        );
    }
}

/// A file with these tables.
fn source(site: &Site, tables: &str) -> PathBuf {
    let path = site.live.join(format!("source-{}.db", tables.len()));
    if !path.exists() {
        Connection::open(&path)
            .unwrap()
            .execute_batch(tables)
            .unwrap();
    }
    path
}

/// What an import tells; it ends with all promises checked.
fn import(site: &Site, source: &Path, more: &[&str]) -> Value {
    let output = command(site, source, more).arg("--json").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(stdout.lines().next().unwrap()).unwrap()
}

fn command(site: &Site, source: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
    command
        .arg("import")
        .arg(source)
        .args(more)
        .env_clear()
        .envs(backend::environment())
        .env("ORDERD_DATABASE_URL", &site.url)
        .current_dir(&site.live);
    command
}

fn rejects(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(site.live.join("import-rejects.jsonl")).unwrap();
    let line = |line| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

fn sound(site: &Site) {
    let mut tally = Tally::default();
    tally.verify(site);
    assert_eq!(tally, Tally::default());
}
