//! The catalogue and the stock: how many there are of each item, and who changed that by hand.
//!
//! Whatever has a product or a counted stock is one row, by its id: items need not be in the
//! catalogue to be counted, and products need not be counted.

use super::parts::{
    Column::{Number, Text},
    money, notice, pager, reason_kept, table, time,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::catalogue;
use crate::extract::Query;
use crate::problem::Problem;
use crate::v1::products::{opened, sealed};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::stock::{Logged, StockLog};
use domain::{ItemId, Product, RecordKind, Stock, Timestamp};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::RecordQuery;

const LIMIT: usize = 25;
/// So few that somebody should order more.
const LOW: u64 = 10;

/// An item: its product, its stock, and who changed that, as far as there is such a thing.
#[derive(Default)]
struct Item {
    product: Option<Product>,
    log: StockLog,
    stock: Option<Stock>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["cursor", "done"]);
    let cursor = query.cursor();
    let done = query.get("done", "must be what was done", |it| {
        (it == "stock").then_some(())
    });
    query.check()?;
    let after = cursor
        .as_deref()
        .map(|text| opened(&app, text))
        .transpose()?;
    let (items, next) = page(&app, after).await?;

    let next = next.map(|after| sealed(&app, &after));
    let page = Page {
        section: Section::Products,
        title: "Products",
        moved_by: "orders",
        content: html! {
            h1 { "Products and stock" }
            @if done.is_some() { (notice("good", "The stock is changed.")) }
            @if items.is_empty() {
                p { "The catalogue is empty. Items that it does not know can be ordered all the same, \
                     without a price, unless " code { "catalogue.strict" } " is set." }
            }
            (table("Items", &[Text("Item"), Text("Name"), Number("Price"), Number("On hand"), Number("Reserved"), Number("Available"), Text("Last changed by hand")], &html! {
                tbody #products data-live { @for (id, item) in &items { (row(&viewer, id, item)) } }
            }))
            (pager("products", "", cursor.is_none(), next.as_deref()))
            @if viewer.may_write() { (adjust(&viewer)) }
        },
    };
    Ok(page.for_viewer(&viewer))
}

/// A page of items by their ids, and the id after which the next one begins.
async fn page(
    app: &App,
    after: Option<Box<str>>,
) -> Result<(BTreeMap<ItemId, Item>, Option<Box<str>>), Problem> {
    let list = |kind| {
        let after = after.clone();
        let limit = LIMIT;
        app.store.list(RecordQuery { kind, after, limit })
    };
    let (products, logs) = tokio::try_join!(list(RecordKind::Product), list(RecordKind::StockLog))?;

    let mut items: BTreeMap<ItemId, Item> = BTreeMap::new();
    for (product, _) in catalogue::products(&products.items)? {
        let item = items.entry(product.id.clone()).or_default();
        item.product = Some(product);
    }
    for (id, record) in logs.items {
        if let Some(id) = ItemId::parse(&id) {
            items.entry(id).or_default().log = StockLog::read(&record.body);
        }
    }
    // Beyond the end of either list, the other knows only some.
    let end = [products.next, logs.next].into_iter().flatten().min();
    items.retain(|id, _| end.as_deref().is_none_or(|end| id.as_str() <= end));
    let next = match items.keys().nth(LIMIT).cloned() {
        Some(beyond) => {
            items.split_off(&beyond);
            items.keys().next_back().map(|id| id.as_str().into())
        }
        None => end,
    };

    let ids: Vec<ItemId> = items.keys().cloned().collect();
    for (item, stock) in items.values_mut().zip(app.store.stock(&ids).await?) {
        item.stock = stock;
    }
    Ok((items, next))
}

fn row(viewer: &Viewer, id: &ItemId, item: &Item) -> Markup {
    let id = id.as_str();
    html! {
        tr {
            td .id { (id) }
            @match &item.product {
                Some(product) => {
                    td { (product.name.as_str()) }
                    td .number { (money(product.price, product.currency)) }
                }
                None => td colspan="2" { "not in the catalogue" },
            }
            @match item.stock {
                None => td colspan="4" { "not counted, always to be had" },
                Some(stock) => {
                    td .number { (stock.on_hand) }
                    td .number { (stock.reserved) }
                    td .number {
                        @if stock.available() < LOW { span .status.failed { span aria-hidden="true" { "▼" } " low " } }
                        (stock.available())
                    }
                    td { (changes(viewer, id, &item.log.adjustments)) }
                }
            }
        }
    }
}

/// What people did to the stock of an item lately; what orders did is in their timelines.
fn changes(viewer: &Viewer, id: &str, adjustments: &[Logged]) -> Markup {
    let Some(last) = adjustments.first() else {
        return html! {};
    };
    html! {
        details #{ "changes-" (id) } {
            summary { (time(Timestamp::from_millis(last.at_ms), viewer.now)) }
            ul .changes {
                @for it in adjustments {
                    li {
                        (time(Timestamp::from_millis(it.at_ms), viewer.now)) " "
                        b { (format!("{:+}", it.by)) } " to " (it.on_hand) ": " (it.reason) ", by " (it.actor)
                    }
                }
            }
        }
    }
}

fn adjust(viewer: &Viewer) -> Markup {
    html! {
        section .acts {
            details #act-stock {
                summary { "Change the stock of an item" }
                (viewer.form("stock", &html! {
                    label for="item" { "Item" }
                    input #item name="item_id" maxlength="128" required;
                    label for="change" { "So many came, or went with a minus" }
                    input #change name="change" inputmode="numeric" pattern="-?[0-9]+" required;
                    (reason_kept("why-stock", true, "kept with the item"))
                    button { "Change" }
                }))
            }
        }
    }
}
