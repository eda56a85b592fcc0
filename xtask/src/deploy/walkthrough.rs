//! The first steps of each of the older systems' users, with `curl` as they do, against a server
//! wherever it is.

use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask::tools::output;

/// How long an order may take to be fulfilled.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request, and what its answer must be.
struct Step {
    what: &'static str,
    request: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
    status: u16,
    /// What the answer holds; `ORDER` stands for the last order's id.
    holds: &'static [&'static str],
}

const RECEIPT: &str = r#"{"customer_id":"cust1","item_id":"item1","quantity":1}"#;
const KEY: &str = "Idempotency-Key: walk-1";
const LOST_KEY: &str = "Idempotency-Key: walk-2";
const LOSE: &str = "X-Debug-Fail-After-Commit: true";

/// Receipts, and retries of them.
const RECEIPTS: &[Step] = &[
    step(
        "an order is placed",
        "POST /orders",
        &[KEY],
        RECEIPT,
        201,
        &[r#""status":"created""#],
    ),
    step(
        "it is read",
        "GET /orders/ORDER",
        &[],
        "",
        200,
        &["ORDER", r#""quantity":1"#],
    ),
    step(
        "its retry is the same order",
        "POST /orders",
        &[KEY],
        RECEIPT,
        201,
        &["ORDER"],
    ),
    step(
        "its key is for no other",
        "POST /orders",
        &[KEY],
        r#"{"customer_id":"cust1","item_id":"item1","quantity":5}"#,
        409,
        &["idempotency_key_reused"],
    ),
    step(
        "an answer is lost",
        "POST /orders",
        &[LOST_KEY, LOSE],
        RECEIPT,
        500,
        &[],
    ),
    step(
        "its retry is answered",
        "POST /orders",
        &[LOST_KEY],
        RECEIPT,
        201,
        &["order_id"],
    ),
    step(
        "a receipt needs a key",
        "POST /orders",
        &[],
        RECEIPT,
        400,
        &["Idempotency-Key"],
    ),
];

/// The catalogue and baskets.
const BASKETS: &[Step] = &[
    step(
        "a product is added",
        "POST /products",
        &[],
        r#"{"productId":"1","name":"MacBook","price":1999}"#,
        201,
        &[r#""productId":"1""#],
    ),
    step(
        "products are listed",
        "GET /products",
        &[],
        "",
        200,
        &["MacBook"],
    ),
    step(
        "an unknown one is not there",
        "GET /products/999",
        &[],
        "",
        404,
        &[],
    ),
    step(
        "a basket is placed",
        "POST /orders",
        &[],
        r#"{"customer_name":"Alice","items":[{"name":"Pen","quantity":2}]}"#,
        201,
        &[r#""status":"received""#],
    ),
    step(
        "it is listed",
        "GET /orders",
        &[],
        "",
        200,
        &["total_orders", "ORDER"],
    ),
    step(
        "its status is set",
        "PATCH /orders/ORDER/status",
        &[],
        r#"{"status":"shipped"}"#,
        200,
        &[r#""status":"shipped""#],
    ),
    step(
        "it is deleted",
        "DELETE /orders/ORDER",
        &[],
        "",
        200,
        &["ORDER"],
    ),
    step("it is gone", "GET /orders/ORDER", &[], "", 404, &["error"]),
];

/// An order that is paid for.
const EVENTS: &[Step] = &[
    step(
        "an order is placed",
        "POST /orders/",
        &[],
        r#"{"customer_name":"test customer 1","product_name":"INE CCIE Bootcamp","quantity":1}"#,
        201,
        &["Order created successfully", r#""status":"Pending""#],
    ),
    step(
        "a field is missing",
        "POST /orders/",
        &[],
        r#"{"customer_name":"a"}"#,
        400,
        &[],
    ),
];

#[expect(clippy::too_many_arguments, reason = "they are the columns of a table")]
const fn step(
    what: &'static str,
    request: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
    status: u16,
    holds: &'static [&'static str],
) -> Step {
    Step {
        what,
        request,
        headers,
        body,
        status,
        holds,
    }
}

/// Walks through all of it. The server has faults on demand, and lets strangers write.
///
/// # Errors
/// Where a step is answered otherwise.
pub(crate) fn all(url: &str) -> Result<()> {
    walk(url, RECEIPTS)?;
    walk(url, BASKETS)?;
    fulfilled(url)
}

/// Walks through what the older event system does: an order is placed, and completed by whoever
/// works on orders there.
///
/// # Errors
/// Where a step is answered otherwise, or the order is not completed in a minute.
pub(crate) fn fulfilled(url: &str) -> Result<()> {
    let order = walk(url, EVENTS)?;
    let begun = Instant::now();
    loop {
        let (status, body) = curl(url, &format!("GET /orders/{order}/"), &[], "")?;
        if status == 200 && body.contains(r#""status":"Completed""#) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "an order was not completed: {status} {body}"
        );
        sleep(Duration::from_millis(200));
    }
}

/// Takes each step; gives the id of the last order that was placed.
fn walk(url: &str, steps: &[Step]) -> Result<String> {
    let mut order = String::new();
    for step in steps {
        let request = step.request.replace("ORDER", &order);
        let (status, body) = curl(url, &request, step.headers, step.body)
            .with_context(|| format!("{}: {request}", step.what))?;
        let holds = |part: &&str| body.contains(&part.replace("ORDER", &order));
        ensure!(
            status == step.status && step.holds.iter().all(holds),
            "{}: {request} was answered {status} {body}",
            step.what
        );
        if status == 201
            && let Some((_, id)) = body.split_once(r#""order_id":""#)
            && let Some((id, _)) = id.split_once('"')
        {
            id.clone_into(&mut order);
        }
    }
    Ok(order)
}

/// Asks as people do; gives status and body.
///
/// # Errors
/// Where nobody answers.
pub(crate) fn curl(
    url: &str,
    request: &str,
    headers: &[&str],
    body: &str,
) -> Result<(u16, String)> {
    let (method, path) = request.split_once(' ').context("a method and a path")?;
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--insecure", "--max-time", "30"])
        .args(["--write-out", "\n%{http_code}", "--request", method])
        .args(["--header", "Content-Type: application/json"])
        .args(headers.iter().flat_map(|header| ["--header", *header]));
    if !body.is_empty() {
        command.args(["--data", body]);
    }
    let answer = output(command.arg(format!("{url}{path}")))?;
    let (body, status) = answer.rsplit_once('\n').context("curl says the status")?;
    Ok((status.parse()?, body.to_owned()))
}
