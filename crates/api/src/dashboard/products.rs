//! The catalogue, and how many there are of each product.

use super::parts::{
    Column::{Number, Text},
    money, notice, pager, table,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::v1::products;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::{Product, Stock};
use maud::{Markup, html};
use std::sync::Arc;

const LIMIT: usize = 25;
/// So few that somebody should order more.
const LOW: u64 = 10;

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
    let (products, next) = products::page(&app, LIMIT, cursor.as_deref()).await?;
    let items: Vec<_> = products
        .iter()
        .map(|(product, _)| product.id.clone())
        .collect();
    let stock = app.store.stock(&items).await?;

    let page = Page {
        section: Section::Products,
        title: "Products",
        moved_by: "orders",
        content: html! {
            h1 { "Products and stock" }
            @if done.is_some() { (notice("good", "The stock is changed.")) }
            @if products.is_empty() {
                p { "The catalogue is empty. Items that it does not know can be ordered all the same, \
                     without a price, unless " code { "catalogue.strict" } " is set." }
            }
            (table("Products", &[Text("Product"), Text("Name"), Number("Price"), Number("On hand"), Number("Reserved"), Number("Available")], &html! {
                tbody #products data-live="rows" {
                    @for ((product, _), stock) in products.iter().zip(&stock) { (row(product, *stock)) }
                }
            }))
            (pager("products", "", cursor.is_none(), next.as_deref()))
            @if viewer.may_write() { (adjust(&viewer)) }
        },
    };
    Ok(page.for_viewer(&viewer))
}

fn row(product: &Product, stock: Option<Stock>) -> Markup {
    html! {
        tr #{ "p" (product.id.as_str()) } {
            td .id { (product.id.as_str()) }
            td { (product.name.as_str()) }
            td .number { (money(product.price, product.currency)) }
            @match stock {
                None => td colspan="3" { "not counted, always to be had" },
                Some(stock) => {
                    td .number { (stock.on_hand) }
                    td .number { (stock.reserved) }
                    td .number {
                        @if stock.available() < LOW { span .status.failed { span aria-hidden="true" { "▼" } " low " } }
                        (stock.available())
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
                    (super::parts::reason_field("why-stock", true))
                    button { "Change" }
                }))
            }
        }
    }
}
