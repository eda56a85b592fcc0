//! The ledger: what the newest orders moved, and whether it adds up.
//!
//! A page is so many orders with all their transfers, so that each of them can be checked whole,
//! and a page costs the same however long the ledger is. `orderd verify` checks all of it.

use super::order::{TRANSFERS, transfer_row};
use super::parts::{money, order_link, pager, table};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::v1::orders::List;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::transfer::{Asset, TransferKind};
use domain::{Currency, Money, Order, Transfer};
use futures_util::future::try_join_all;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many orders a page has.
const LIMIT: usize = 20;

/// An order, and what it moved.
type Book = (Order, Vec<Transfer>);

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut known = Query::of(query.as_deref(), &["cursor"]);
    let is_first = known.cursor().is_none();
    known.check()?;
    let list = List::parse(query.as_deref())?;
    let (orders, next) = list.page(&app, LIMIT).await?;
    let books = try_join_all(orders.into_iter().map(|order| book(&app, order))).await?;

    let page = Page {
        section: Section::Ledger,
        title: "Ledger",
        moved_by: if is_first { "orders" } else { "" },
        content: html! {
            h1 { "Ledger" }
            p { "Every movement is debited from one account and credited to another. These are the " (books.len())
                " orders of this page, each held against its own transfers; " code { "orderd verify" }
                " audits all of them." }
            (balances(&books))
            (table("Transfers", &TRANSFERS, &html! {
                tbody #ledger data-live=[is_first.then_some("")] {
                    @for (order, transfers) in &books { (entries(&viewer, order, transfers)) }
                }
            }))
            (pager("ledger", "", is_first, next.as_deref()))
        },
    };
    Ok(page.for_viewer(&viewer))
}

/// An order and its transfers. Something may be committed between the two reads, so what does not add
/// up is read again.
async fn book(app: &App, order: Order) -> Result<Book, store::Error> {
    let transfers = app.store.transfers(order.id).await?;
    if unbalanced(&order, &transfers).is_none() {
        return Ok((order, transfers));
    }
    let order = app.store.order(order.id).await?.unwrap_or(order);
    let transfers = app.store.transfers(order.id).await?;
    Ok((order, transfers))
}

fn entries(viewer: &Viewer, order: &Order, transfers: &[Transfer]) -> Markup {
    let link = html! { (order_link(viewer.root, order.id)) };
    html! {
        @if let Some(wrong) = unbalanced(order, transfers) {
            tr .unbalanced { td { (link) } td colspan="5" { "▲ " (wrong) } }
        }
        tr {
            td { (link) }
            td { "accepted" }
            td {} td {}
            td .number { (money(order.total_minor, order.currency)) }
            td { (super::parts::time(order.created_at, viewer.now)) }
        }
        @for transfer in transfers { (transfer_row(viewer, transfer, &html! { "· " (transfer.number) })) }
    }
}

/// What does not add up in the books of an order, if anything.
fn unbalanced(order: &Order, transfers: &[Transfer]) -> Option<Markup> {
    let (taken, given_back) = moved(transfers);
    let agrees = taken == order.captured_minor && given_back == order.refunded_minor;
    let amount = |amount| money(amount, order.currency);
    (!agrees).then(|| {
        html! {
            "By its transfers " (amount(taken)) " were taken and " (amount(given_back))
            " given back; the order says " (amount(order.captured_minor)) " and "
            (amount(order.refunded_minor)) "."
        }
    })
}

/// How much money transfers took, and gave back.
fn moved(transfers: &[Transfer]) -> (Money, Money) {
    let sum = |counts: fn(TransferKind) -> bool| {
        let money = |it: &&Transfer| matches!(it.asset, Asset::Money(_)) && counts(it.kind);
        let amounts = transfers.iter().filter(money).map(|it| it.amount);
        let sum = amounts.fold(0, u64::saturating_add);
        Money::from_minor(i64::try_from(sum).unwrap_or(i64::MAX))
    };
    (
        sum(|kind| matches!(kind, TransferKind::Posted(_) | TransferKind::Transfer)),
        sum(|kind| kind == TransferKind::Reversal),
    )
}

/// What is left of the money that was taken, by the transfers and by the orders: two accounts of the
/// same thing, of which neither follows from the other.
fn balances(books: &[Book]) -> Markup {
    let mut left: BTreeMap<&str, (Currency, i64, i64)> = BTreeMap::new();
    for (order, transfers) in books {
        let (taken, given_back) = moved(transfers);
        let less = |taken: Money, back: Money| taken.as_minor().saturating_sub(back.as_minor());
        let (_, moved, said) =
            left.entry(order.currency.as_str())
                .or_insert((order.currency, 0, 0));
        *moved = moved.saturating_add(less(taken, given_back));
        *said = said.saturating_add(less(order.captured_minor, order.refunded_minor));
    }
    let wrong = |(order, transfers): &&Book| unbalanced(order, transfers).is_some();
    let wrong = books.iter().filter(wrong).count();
    html! {
        dl #balances .tiles data-live {
            @for (currency, moved, said) in left.into_values() {
                div { dt { "Taken, by the transfers" } dd { b { (money(Money::from_minor(moved), currency)) } } }
                div { dt { "Taken, by the orders" } dd { b { (money(Money::from_minor(said), currency)) } } }
            }
            div { dt { "Orders that differ" } dd { b .failed[wrong > 0] { (wrong) }
                @if wrong > 0 { span { "▲ marked below" } } } }
        }
    }
}
