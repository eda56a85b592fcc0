//! Orders, newest first, by the filters of the list of `/v1`.

use super::parts::{
    Column::{self, Number, Text},
    customer, money, order_link, pager, status, table, time,
};
use super::session::back;
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::problem::Problem;
use crate::v1::orders::{List, visible};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::{Order, OrderId, Status};
use maud::{Markup, html};
use std::sync::Arc;

/// How many orders a page has.
const LIMIT: usize = 25;
pub(super) const HEAD: [Column<'static>; 7] = [
    Text("Order"),
    Text("Status"),
    Text("Customer"),
    Number("Items"),
    Number("Total"),
    Number("Tries"),
    Text("Placed"),
];

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = filled_in(query.as_deref().unwrap_or_default());
    // A customer may have such an id as well.
    if let Some(id) = id_in(&asked)
        && visible(&app, id).await?.is_some()
    {
        return Ok(back(&format!("{}orders/{id}", viewer.root), None));
    }
    let list = List::parse(Some(&asked))?;
    let filters = list.filters();
    let (orders, next) = list.page(&app, LIMIT).await?;

    let is_first = list.is_first();
    let page = Page {
        section: Section::Orders,
        title: "Orders",
        moved_by: if is_first { "orders" } else { "" },
        content: html! {
            h1 { "Orders" }
            (filter(&viewer, &list))
            p .new { button #new .plain hidden { "Show new orders" } }
            div #none data-live {
                @if orders.is_empty() {
                    p { @if next.is_none() { "No order is like that." } @else {
                        "None of those that were looked at is like that. The next page looks at earlier ones."
                    } }
                }
            }
            (table("Orders", &HEAD, &html! {
                tbody #orders data-live=[is_first.then_some("rows")] { (rows(&viewer, &orders)) }
            }))
            (pager("orders", &filters, is_first, next.as_deref()))
            p { a href={ (viewer.root) "../v1/orders?limit=100&" (filters) } { "The same as JSON" } }
        },
    };
    Ok(page.for_viewer(&viewer))
}

/// A row for each order.
pub(super) fn rows(viewer: &Viewer, orders: &[Order]) -> Markup {
    html! {
        @for order in orders {
            tr #{ "o" (order.id) } {
                td { (order_link(viewer.root, order.id)) }
                td { (status(order.status)) }
                td { (customer(order)) }
                td .number { (order.lines.len()) }
                td .number { (money(order.total_minor, order.currency)) }
                td .number { @if order.progress.tries > 0 { (order.progress.tries) } }
                td { (time(order.created_at, viewer.now)) }
            }
        }
    }
}

fn filter(viewer: &Viewer, list: &List) -> Markup {
    html! {
        form .filter method="get" action={ (viewer.root) "orders" } role="search" {
            label for="status" { "Status" }
            select #status name="status" {
                option value="" { "any" }
                @for status in Status::all() {
                    option value=(status.as_str()) selected[list.status() == Some(status)] {
                        (super::parts::words(status.as_str()))
                    }
                }
            }
            label for="customer" { "Customer or order id" }
            input #customer name="customer_id" type="search" maxlength="128"
                value=(list.customer_id().map_or("", domain::CustomerId::as_str));
            button { "Filter" }
        }
    }
}

/// The fields of a query that say something: a form sends the others too.
pub(super) fn filled_in(query: &str) -> String {
    let filled = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(filled)
        .finish()
}

/// The order whose id stands where a customer's would.
fn id_in(query: &str) -> Option<OrderId> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let (_, text) = fields.find(|(name, _)| name == "customer_id")?;
    OrderId::parse(text.trim())
}
