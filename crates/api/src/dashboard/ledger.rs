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
use domain::transfer::{Account, Asset, TransferKind};
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
                " orders of this page; " code { "orderd verify" } " audits all of them." }
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
fn unbalanced(order: &Order, transfers: &[Transfer]) -> Option<String> {
    let sum = |counts: fn(TransferKind) -> bool| -> u64 {
        transfers
            .iter()
            .filter(|it| matches!(it.asset, Asset::Money(_)) && counts(it.kind))
            .map(|it| it.amount)
            .sum()
    };
    let taken = sum(|kind| matches!(kind, TransferKind::Posted(_) | TransferKind::Transfer));
    let given_back = sum(|kind| kind == TransferKind::Reversal);
    let says = |money: Money| u64::try_from(money.as_minor()).unwrap_or(0);
    let agrees = taken == says(order.captured_minor) && given_back == says(order.refunded_minor);
    (!agrees).then(|| {
        format!(
            "The order says that other amounts were taken or given back: {taken}, {given_back}."
        )
    })
}

fn balances(books: &[Book]) -> Markup {
    let mut balances: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut currencies: BTreeMap<&str, Currency> = BTreeMap::new();
    for transfer in books.iter().flat_map(|(_, transfers)| transfers.iter()) {
        let Asset::Money(currency) = &transfer.asset else {
            continue;
        };
        if matches!(
            transfer.kind,
            TransferKind::Pending | TransferKind::Voided(_)
        ) {
            continue;
        }
        let amount = i64::try_from(transfer.amount).unwrap_or(i64::MAX);
        let currency_word = currency.as_str();
        currencies.insert(currency_word, *currency);
        for (account, change) in [(transfer.debit, -amount), (transfer.credit, amount)] {
            *balances
                .entry((currency_word, account.as_str()))
                .or_default() += change;
        }
    }
    html! {
        dl #balances .tiles data-live {
            @for (word, currency) in &currencies {
                @for account in [Account::Customers, Account::Sales] {
                    @let balance = balances.get(&(*word, account.as_str())).copied().unwrap_or(0);
                    div { dt { (account.as_str()) } dd { b { (money(Money::from_minor(balance), *currency)) } } }
                }
                @let sum: i64 = balances.iter().filter(|((it, _), _)| it == word).map(|(_, it)| *it).sum();
                div { dt { "Sum" } dd { b { (money(Money::from_minor(sum), *currency)) } " "
                    span { @if sum == 0 { "balanced" } @else { "▲ unbalanced" } } } }
            }
        }
    }
}
