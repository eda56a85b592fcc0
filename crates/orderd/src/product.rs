//! `orderd product`: the catalogue of a running server, from the command line.

use crate::Globals;
use crate::client::{self, Answer, Server, ServerArgs, encoded};
use domain::json::Json;
use domain::{Currency, Money};
use serde_json::{Value, json};
use setup::exit::{Code, Exit};
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// The most products that one request lists.
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
    /// Make a product
    Create(New),
    /// Put a product in the place of the one with its id
    Update(New),
    /// List products by their ids
    List {
        /// How many to list at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
    },
    /// Show one product
    Show {
        /// The product's id
        id: String,
    },
    /// Delete a product; orders keep its name and price
    Delete {
        /// The product's id
        id: String,
    },
}

#[derive(clap::Args)]
struct New {
    /// The product's id: what `order create --line` names
    id: String,
    /// Its name for people
    #[arg(long)]
    name: String,
    /// The price of one, as in 19.99
    #[arg(long)]
    price: String,
    /// The currency of the price
    #[arg(long, default_value = "USD")]
    currency: String,
    /// How many there are; from then on they are counted, and no more is sold
    #[arg(long)]
    stock: Option<u64>,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    match args.verb {
        Verb::Create(new) => put(&server, &new, "none", globals).await?,
        Verb::Update(new) => put(&server, &new, "some", globals).await?,
        Verb::List { limit } => list(&server, usize::try_from(limit)?, globals).await?,
        Verb::Show { id } => {
            let answer = client::send(&server, "GET", &path(&id), &[], b"").await?;
            print(&answer, globals)?;
        }
        Verb::Delete { id } => {
            let answer = client::send(&server, "DELETE", &path(&id), &[], b"").await?;
            if answer.status != 204 {
                return Err(answer.problem().into());
            }
            eprintln!("Deleted {id}.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a product where there is `none`, or changes it where there is `some`.
async fn put(server: &Server, new: &New, there: &str, globals: &Globals) -> anyhow::Result<()> {
    let price_minor = minor(&new.price, &new.currency)?;
    let mut body = json!({
        "product_id": new.id, "name": new.name, "price_minor": price_minor,
        "currency": new.currency,
    });
    if let Some(stock) = new.stock {
        body["stock"] = stock.into();
    }
    let condition = if there == "none" {
        ("if-none-match", "*")
    } else {
        ("if-match", "*")
    };
    let headers = [("content-type", "application/json"), condition];
    let body = body.to_string();
    let answer = client::send(server, "PUT", &path(&new.id), &headers, body.as_bytes()).await?;
    if answer.status == 412 {
        let id = &new.id;
        let (what, why, fix) = if there == "none" {
            ("exists", "a product has this id.", "update")
        } else {
            ("is not there", "no product has this id.", "create")
        };
        return Err(Exit::new(
            Code::Failed,
            &format!("The product {id} {what}."),
            why,
            &format!("use: orderd product {fix}"),
        )
        .into());
    }
    print(&answer, globals)
}

/// A decimal price in minor units.
fn minor(price: &str, currency: &str) -> Result<i64, Exit> {
    let digits = Currency::parse(currency).map(Currency::minor_digits);
    let number = Json::parse(price.as_bytes()).ok();
    let minor = number
        .zip(digits)
        .and_then(|(number, digits)| number.as_scaled(digits));
    minor.filter(|minor| *minor >= 0).ok_or_else(|| {
        Exit::new(
            Code::Failed,
            &format!("Cannot read the price {price:?} {currency}."),
            "a price is a number with no more decimals than its currency has.",
            "write --price 19.99 --currency USD",
        )
    })
}

fn path(id: &str) -> String {
    format!("/v1/products/{}", encoded(id))
}

async fn list(server: &Server, limit: usize, globals: &Globals) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    if terminal && !globals.json {
        println!("{}", row(&["PRODUCT", "NAME", "PRICE"].map(str::to_owned)));
    }
    let (mut left, mut cursor) = (limit, String::new());
    while left > 0 {
        let path = format!("/v1/products?limit={}{cursor}", left.min(PAGE_MAX));
        let page = client::send(server, "GET", &path, &[], b"").await?.json()?;
        let products = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        for product in products {
            let cells = cells(product);
            match (globals.json, terminal) {
                (true, _) => println!("{product}"),
                (_, true) => println!("{}", row(&cells)),
                _ => println!("{}", cells.join("\t")),
            }
        }
        left = left.saturating_sub(products.len());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", encoded(next)),
            None => break,
        }
    }
    Ok(())
}

fn print(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let product = answer.json()?;
    if globals.json {
        println!("{}", String::from_utf8_lossy(&answer.body));
        return Ok(());
    }
    let [id, name, price] = cells(&product);
    println!("product   {id}\nname      {name}\nprice     {price}");
    Ok(())
}

fn row([id, name, price]: &[String; 3]) -> String {
    format!("{id:<20}  {name:<36}  {price:>16}")
}

fn cells(product: &Value) -> [String; 3] {
    let cell = |name: &str| product[name].as_str().unwrap_or_default().to_owned();
    let minor = product["price_minor"].as_i64().unwrap_or_default();
    [
        cell("product_id"),
        cell("name"),
        priced(minor, &cell("currency")),
    ]
}

/// An amount for people: `19.90 USD`.
pub(crate) fn priced(minor: i64, currency: &str) -> String {
    let amount = Currency::parse(currency).map_or_else(
        || minor.to_string(),
        |currency| Money::from_minor(minor).to_fixed(currency),
    );
    format!("{amount} {currency}")
}
