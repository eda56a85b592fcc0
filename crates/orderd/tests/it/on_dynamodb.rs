//! What DynamoDB does and an emulator never does: it has no time, sees a conflict, loses an answer.

use crate::aws;
use crate::backend;
use crate::harness::{Server, Site, Tally};
use crate::load::{Answer, Client, Placing};
use crate::proxy::{Fault, Faults};
use serde_json::{Value, json};

/// As often as a store tries.
const TRIES: usize = 8;

#[test]
fn an_order_is_placed_once_whatever_becomes_of_its_transaction() {
    if backend::is_dynamodb() {
        assert_eq!(violations(None), Vec::<String>::new());
    }
}

#[test]
fn a_key_that_is_taken_in_a_transaction_of_its_own_is_caught() {
    if backend::is_dynamodb() {
        assert_ne!(violations(Some("split-transaction")), Vec::<String>::new());
    }
}

/// What goes wrong when orders are placed under faults.
fn violations(mutant: Option<&'static str>) -> Vec<String> {
    let (site, server, faults) = behind_a_proxy(mutant);
    let mut client = Client::connect(server.address).unwrap();
    let mut found = Vec::new();
    let cases: [(&[Fault], u16); 8] = [
        (&[Fault::Throttled, Fault::Throttled, Fault::Conflict], 201),
        (&[Fault::Throttled; TRIES], 503),
        (&[Fault::Conflict; TRIES], 503),
        (&[Fault::Cut], 503),
        (&[Fault::AnswerCut], 201),
        (&[Fault::DoneAndFailed], 201),
        (&[Fault::DoneAndGarbled], 201),
        (&[Fault::Conflict, Fault::AnswerCut], 201),
    ];
    for (number, (planned, status)) in (0..).zip(cases) {
        faults.plan(planned);
        let placing = Placing::v1(format!("key-{number}"), number, number, 1);
        let [first, second, third] = [(); 3].map(|()| client.place(&placing).unwrap());
        let expected = [status, 201, 201];
        let got = [&first, &second, &third].map(|answer| answer.status);
        if got != expected {
            found.push(format!("{planned:?}: {got:?}: {}", text(&first)));
        }
        if first.header("retry-after").is_some() != (status == 503) {
            found.push(format!("{planned:?}: {}", first.head));
        }
        if second.body != third.body || (first.status == 201 && first.body != second.body) {
            found.push(format!("{planned:?}: the answers differ"));
        }
        if !faults.are_over() {
            found.push(format!("{planned:?} have not all come"));
        }
    }
    let mut tally = Tally::default();
    tally.count(&site, cases.len() as u64);
    tally.verify(&site);
    if tally.violations() > 0 {
        found.push(format!("{tally:?}\n{}", site.last_words()));
    }
    found
}

/// A server that reaches the emulator through a proxy.
fn behind_a_proxy(mutant: Option<&'static str>) -> (Site, Server, Faults) {
    let faults = Faults::default();
    let address = faults.clone().listen();
    let mut site = Site::new(mutant);
    site.environment.extend([
        ("AWS_ENDPOINT_URL", format!("http://{address}").into()),
        // Only what a test does is to be met by a fault.
        ("ORDERD_WORKER_ENABLED", "false".into()),
    ]);
    let server = site.start().unwrap();
    (site, server, faults)
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn orders_in_the_table_of_the_older_system_are_taken_over() {
    if !backend::is_dynamodb() {
        return;
    }
    let table = format!("older-{}", std::process::id());
    let create = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "order_id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "order_id", "KeyType": "HASH" }],
    });
    aws::dynamodb("CreateTable", &create);
    let id = |number: u32| format!("{number:08x}-0f3a-4b5c-8d6e-7f8091a2b3c4");
    for (number, quantity, status) in [
        (1, "2", "Completed"),
        (2, "1", "Pending"),
        (3, "1", "Processing"),
        (4, "0", "Pending"),
    ] {
        let item = json!({
            "order_id": { "S": id(number) }, "customer_name": { "S": "Ada" },
            "product_name": { "S": "Pen" }, "quantity": { "N": quantity },
            "status": { "S": status },
        });
        aws::dynamodb("PutItem", &json!({ "TableName": table, "Item": item }));
    }
    let mut site = Site::new(None);
    let source = format!("dynamodb://{table}");
    let import = |more: &[&str]| {
        let output = site.output(&[&["import", "--json", &source], more].concat());
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let told: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        ["orders", "there_already", "rejected"].map(|name| told[name].as_u64().unwrap())
    };
    assert_eq!(import(&["--dry-run"]), [3, 0, 1]);
    assert_eq!(import(&[]), [3, 0, 1], "nothing is none of an item");
    assert_eq!(import(&[]), [0, 3, 1], "as when the first was cut off");

    // Its own table cannot be ours.
    site.environment
        .push(("ORDERS_TABLE", table.as_str().into()));
    let refused = site.output(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("orderd import {source}")), "{said}");
    site.environment.pop();

    let server = site.start().unwrap();
    let mut client = Client::connect(server.address).unwrap();
    for (number, status) in [(1, "Completed"), (2, "Pending"), (3, "Processing")] {
        let shown = client.get(&format!("/orders/{}/", id(number))).unwrap();
        let shown: Value = serde_json::from_slice(&shown.body).unwrap();
        assert_eq!(shown["status"], status);
        assert_eq!(shown["product_name"], "Pen");
    }
    site.verify().unwrap();
}
