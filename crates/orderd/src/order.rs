//! `orderd order`: orders of a running server, from the command line.

mod watch;

use crate::Globals;
use crate::client::{self, Answer, Server, ServerArgs, encoded};
use crate::product::priced;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use setup::exit::{Code, Exit};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use watch::Until;

/// The most orders that one request lists.
const PAGE_MAX: usize = 100;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Place an order
    Create(Create),
    /// List orders, newest first
    List(List),
    /// Show one order
    Show {
        /// The order's id
        id: String,
    },
    /// Cancel an order whose money was not taken yet
    Cancel {
        /// The order's id
        id: String,
        /// Why; kept in its timeline
        #[arg(long)]
        reason: Option<String>,
    },
    /// Give money of a completed order back
    Refund(Refund),
    /// List the refunds of an order
    Refunds {
        /// The order's id
        id: String,
    },
    /// Show all that happened to an order
    Timeline {
        /// The order's id
        id: String,
    },
    /// Show what happens to an order until it has ended
    Watch {
        /// The order's id
        id: String,
    },
}

#[derive(clap::Args)]
struct Create {
    /// Who it is for
    #[arg(long, value_name = "ID")]
    customer: String,
    /// Their name
    #[arg(long)]
    name: Option<String>,
    /// What, and how many of it (1 where none is said); once for each line
    #[arg(long = "line", value_name = "ITEM[:QTY]", required = true, value_parser = line)]
    lines: Vec<Line>,
    /// The idempotency key: the same key never places a second order [default: a new one]
    #[arg(long)]
    key: Option<String>,
}

#[derive(clap::Args)]
struct Refund {
    /// The order's id
    id: String,
    /// How much, in minor units such as cents [default: all that is left]
    #[arg(long, value_name = "MINOR")]
    amount: Option<i64>,
    /// Why; kept in its timeline
    #[arg(long)]
    reason: String,
    /// The goods came back: put them into the stock again
    #[arg(long)]
    restock: bool,
    /// The idempotency key: the same key never asks for a second refund [default: a new one]
    #[arg(long)]
    key: Option<String>,
}

#[derive(clap::Args)]
struct List {
    /// Only orders with this status
    #[arg(long)]
    status: Option<String>,
    /// Only orders of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// How many to list at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// List all, however many there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    item_id: String,
    quantity: u32,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    match args.verb {
        Verb::Create(order) => create(&server, order, globals).await?,
        Verb::List(query) => list(&server, query, globals).await?,
        Verb::Show { id } => show(&server, &id, globals).await?,
        Verb::Cancel { id, reason } => cancel(&server, &id, reason.as_deref(), globals).await?,
        Verb::Refund(refund) => self::refund(&server, refund, globals).await?,
        Verb::Refunds { id } => refunds(&server, &id, globals).await?,
        Verb::Timeline { id } => watch::timeline(&server, &id, Until::Now, globals).await?,
        Verb::Watch { id } => watch::timeline(&server, &id, Until::Ended, globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(server: &Server, order: Create, globals: &Globals) -> anyhow::Result<()> {
    let lines: Vec<Value> = order
        .lines
        .iter()
        .map(|line| json!({"item_id": line.item_id, "quantity": line.quantity}))
        .collect();
    let mut body = json!({"customer_id": order.customer, "lines": lines});
    if let Some(name) = order.name {
        body["customer_name"] = name.into();
    }
    let again = "This key placed the order before; nothing was added.";
    let answer = send_keyed(server, "/v1/orders", &body, order.key, again).await?;
    print_order(&answer, globals)
}

/// Sends a request that takes effect once under its key; `again` is said where it had before.
async fn send_keyed(
    server: &Server,
    path: &str,
    body: &Value,
    key: Option<String>,
    again: &str,
) -> anyhow::Result<Answer> {
    let key = match key {
        Some(key) => key,
        None => fresh_key()?,
    };
    // Said before it is sent: whoever loses the answer needs it to ask again.
    eprintln!("Idempotency-Key: {key}");

    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let body = body.to_string();
    let answer = client::send(server, "POST", path, &headers, body.as_bytes()).await?;
    answer.json()?;
    if answer.header("idempotent-replayed") == Some("true") {
        eprintln!("{again}");
    }
    Ok(answer)
}

async fn refund(server: &Server, refund: Refund, globals: &Globals) -> anyhow::Result<()> {
    let path = format!("/v1/orders/{}/refunds", encoded(&refund.id));
    let mut body = json!({ "reason": refund.reason, "restock": refund.restock });
    if let Some(amount) = refund.amount {
        body["amount_minor"] = amount.into();
    }
    let again = "This key asked for the refund before; nothing was added.";
    let answer = send_keyed(server, &path, &body, refund.key, again).await?;
    print_refunds(&[serde_json::from_slice(&answer.body)?], globals)
}

async fn refunds(server: &Server, id: &str, globals: &Globals) -> anyhow::Result<()> {
    let path = format!("/v1/orders/{}/refunds", encoded(id));
    let answer = client::send(server, "GET", &path, &[], b"").await?;
    answer.json()?;
    let page: Page<'_> = serde_json::from_slice(&answer.body)?;
    print_refunds(&page.items, globals)
}

/// One JSON object a line, or a row each.
fn print_refunds(refunds: &[&RawValue], globals: &Globals) -> anyhow::Result<()> {
    for refund in refunds {
        if globals.json {
            println!("{refund}");
            continue;
        }
        let refund: Value = serde_json::from_str(refund.get())?;
        let cell = |name| text(&refund, name).unwrap_or_default();
        let (id, status, reason) = (cell("refund_id"), cell("status"), cell("reason"));
        println!(
            "{id}  {status:<9}  {:>10}  {reason}",
            refund["amount_minor"]
        );
    }
    Ok(())
}

async fn cancel(
    server: &Server,
    id: &str,
    reason: Option<&str>,
    globals: &Globals,
) -> anyhow::Result<()> {
    let path = format!("/v1/orders/{}/cancel", encoded(id));
    let headers = [("content-type", "application/json")];
    let body = json!({ "reason": reason }).to_string();
    let answer = client::send(server, "POST", &path, &headers, body.as_bytes()).await?;
    print_order(&answer, globals)
}

async fn show(server: &Server, id: &str, globals: &Globals) -> anyhow::Result<()> {
    let path = format!("/v1/orders/{}", encoded(id));
    print_order(
        &client::send(server, "GET", &path, &[], b"").await?,
        globals,
    )
}

async fn list(server: &Server, query: List, globals: &Globals) -> anyhow::Result<()> {
    let mut left = if query.all {
        usize::MAX
    } else {
        usize::try_from(query.limit)?
    };
    let filter = |name, value: Option<&str>| {
        value.map_or_else(String::new, |it| format!("&{name}={}", encoded(it)))
    };
    let filters = filter("status", query.status.as_deref())
        + &filter("customer_id", query.customer.as_deref());
    let mut cursor = String::new();
    let mut first = true;
    while left > 0 {
        let path = format!("/v1/orders?limit={}{filters}{cursor}", left.min(PAGE_MAX));
        let answer = client::send(server, "GET", &path, &[], b"").await?;
        answer.json()?;
        let page: Page<'_> = serde_json::from_slice(&answer.body)?;
        let orders = &page.items[..page.items.len().min(left)];
        print_rows(orders, first, globals)?;
        left = left.saturating_sub(orders.len());
        first = false;
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={}", encoded(&next)),
            None => break,
        }
    }
    Ok(())
}

/// A page of orders, each as the server wrote it.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next_cursor: Option<String>,
}

/// One JSON object a line, or a row each: with a head on a terminal, else with tabs alone.
fn print_rows(orders: &[&RawValue], head: bool, globals: &Globals) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    if head && terminal && !globals.json {
        println!(
            "{}",
            row(&["ORDER", "STATUS", "CUSTOMER", "LINES", "TOTAL", "CREATED"].map(Into::into))
        );
    }
    for order in orders {
        if globals.json {
            println!("{order}");
            continue;
        }
        let cells = cells(&serde_json::from_str(order.get())?);
        println!(
            "{}",
            if terminal {
                row(&cells)
            } else {
                cells.join("\t")
            }
        );
    }
    Ok(())
}

fn print_order(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let order = answer.json()?;
    if globals.json {
        println!("{}", String::from_utf8_lossy(&answer.body));
        return Ok(());
    }
    let [id, status, customer, _, total, created] = cells(&order);
    println!(
        "order     {id}\nstatus    {status}\ncustomer  {customer}\ntotal     {total}\ncreated   {created}"
    );
    if let Some(failure) = order["failure"].as_object() {
        let word = |name: &str| failure[name].as_str().unwrap_or_default();
        println!(
            "failure   {} at {}: {}",
            word("reason"),
            word("step"),
            word("detail")
        );
    }
    for line in order["lines"].as_array().into_iter().flatten() {
        let what = text(line, "item_id")
            .or(text(line, "name"))
            .unwrap_or_default();
        println!(
            "line {:<4} {} × {what}",
            line["line_number"].to_string(),
            line["quantity"]
        );
    }
    Ok(())
}

/// A row that fits into 80 columns: ids are 36 of them and in the order of time, so what there is
/// no room for is left to `order show`.
fn row([id, status, customer, _lines, total, _created]: &[String; 6]) -> String {
    const CUSTOMER_WIDTH: usize = 12;
    let customer = if customer.chars().count() > CUSTOMER_WIDTH {
        let shown: String = customer.chars().take(CUSTOMER_WIDTH - 1).collect();
        format!("{shown}…")
    } else {
        customer.clone()
    };
    format!("{id:<36}  {status:<12}  {customer:<CUSTOMER_WIDTH$}  {total:>12}")
}

fn cells(order: &Value) -> [String; 6] {
    let cell = |name| text(order, name).unwrap_or_default();
    let customer = text(order, "customer_id")
        .or(text(order, "customer_name"))
        .unwrap_or_default();
    let lines = order["lines"].as_array().map_or(0, Vec::len).to_string();
    // Nothing in it has a price: to say 0 would be to say that it is free.
    let total = match order["total_minor"].as_i64() {
        None | Some(0) => "–".to_owned(),
        Some(total) => priced(total, &cell("currency")),
    };
    [
        cell("order_id"),
        cell("status"),
        customer,
        lines,
        total,
        cell("created_at"),
    ]
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(ToOwned::to_owned)
}

/// A random UUID (version 4).
fn fresh_key() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string())
}

/// Reads `ITEM:QTY`; an item may hold colons, a quantity may be left out where it is 1.
fn line(text: &str) -> Result<Line, Exit> {
    let (item_id, quantity) = match text.rsplit_once(':') {
        Some((item, quantity)) => (item, quantity.parse().ok()),
        None => (text, Some(1)),
    };
    match quantity {
        Some(quantity) if !item_id.is_empty() => Ok(Line {
            item_id: item_id.to_owned(),
            quantity,
        }),
        _ => {
            let why = "a line is an item, a colon and a whole number.";
            let what = format!("Cannot read the line {text:?}.");
            Err(Exit::new(Code::Failed, &what, why, "write --line pen:2"))
        }
    }
}

#[cfg(test)]
mod tests;
