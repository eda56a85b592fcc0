//! One order: all that happened to it and why, what it moved, and what can be done about it.

use super::parts::{
    Column::{self, Number, Text},
    customer, money, notice, reason, reason_field, span, status, step, table, time,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::{self, OrderPath, Query};
use crate::problem::Problem;
use crate::renderers::{OrderBody, to_bytes};
use crate::v1::dead_letters::Found;
use crate::v1::fulfilment::letters_of;
use crate::v1::orders::visible;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::letter::LetterState;
use domain::order::{Reason, Step};
use domain::refund::claimed;
use domain::transfer::{Asset, TransferKind};
use domain::{Event, EventKind, Letter, Money, Order, Refund, Status, Timestamp, Transfer};
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    OrderPath(id): OrderPath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["done"]);
    let done = query.get("done", "must be what was done", done);
    query.check()?;
    let order = visible(&app, id)
        .await?
        .ok_or_else(extract::no_such_order)?;
    let (events, transfers, letters) = tokio::try_join!(
        async { app.store.events(id).await.map_err(Problem::from) },
        async { app.store.transfers(id).await.map_err(Problem::from) },
        letters_of(&app, id),
    )?;

    let text = id.to_string();
    let page = Page {
        section: Section::Orders,
        title: &format!("Order …{}", &text[24..]),
        moved_by: &text,
        content: html! {
            h1 { "Order " span .id { (text) } }
            @if let Some(done) = done { (notice("good", done)) }
            (summary(&viewer, &order, &events, &app.settings.trace_url))
            @if viewer.may_write() { (acts(&viewer, &order, &events, &letters)) }
            h2 { "Timeline" }
            ol #timeline .timeline data-live { @for event in &events { (entry(&viewer, &order, event)) } }
            (lines(&order))
            (moves(&viewer, &order, &transfers))
            (letters_table(&viewer, &letters))
            (for_programs(&viewer, &order))
        },
    };
    Ok(page.for_viewer(&viewer))
}

/// What was just done by a form, in words.
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "cancel" => "It is being cancelled.",
        "note" => "The note is in the timeline.",
        "refund" => "The refund was asked for.",
        "ruling" => "It is under way again.",
        "redrive" => "It is tried anew.",
        _ => return None,
    })
}

fn summary(viewer: &Viewer, order: &Order, events: &[Event], trace_url: &str) -> Markup {
    let under_way = matches!(order.status, Status::Processing | Status::Compensating);
    html! {
        dl #summary .facts data-live {
            div { dt { "Status" } dd { (status(order.status))
                @if !order.fulfil { " recorded only" }
                @if let Some(label) = &order.label { " “" (label.as_str()) "”" } } }
            @if let (true, Some(next)) = (under_way, order.progress.step) {
                div { dt { "Next" } dd { (step(next))
                    @if order.progress.tries > 0 { ", after " (order.progress.tries) " failed tries" } } }
            }
            @if let Some(at) = next_try(events) {
                div { dt { "Next try" } dd { (time(at, viewer.now)) " " (countdown(at, viewer.now)) } }
            }
            @if let Some(failure) = &order.failure {
                div { dt { "Given up" } dd { (reason(failure.reason.as_str())) " at “" (step(failure.step)) "”" } }
            }
            div { dt { "Customer" } dd { (customer(order)) } }
            div { dt { "Total" } dd { (money(order.total_minor, order.currency)) } }
            @if order.captured_minor != Money::ZERO {
                div { dt { "Captured" } dd { (money(order.captured_minor, order.currency)) } }
            }
            @if order.refunded_minor != Money::ZERO {
                div { dt { "Refunded" } dd { (money(order.refunded_minor, order.currency)) } }
            }
            div { dt { "Placed" } dd { (time(order.created_at, viewer.now)) } }
            @if let Some(took) = took(order, events, viewer.now) { div { dt { "Took" } dd { (took) } } }
            div { dt { "Version" } dd { (order.version) } }
            @if let Some(trace) = &order.trace {
                div { dt { "Trace" } dd .id { (trace_link(&trace.name().to_string(), trace_url)) } }
            }
            @if order.progress.round > 1 { div { dt { "Round" } dd { (order.progress.round) } } }
        }
    }
}

/// How long it took to drive an order to its end, or takes until now; what comes after the end (notes,
/// refunds) is not its time. Nothing of an order that is only recorded, or ended elsewhere.
fn took(order: &Order, events: &[Event], now: Timestamp) -> Option<String> {
    use EventKind::{OrderCancelled, OrderCompleted, OrderFailed};
    match order.status {
        _ if !order.fulfil => None,
        Status::Completed | Status::Failed | Status::Cancelled | Status::Refunded => {
            let is_end =
                |it: &&Event| matches!(it.kind, OrderCompleted | OrderFailed | OrderCancelled);
            let end = events.iter().rfind(is_end)?;
            Some(span(between(order.created_at, end.occurred_at)))
        }
        _ => Some(format!("{} so far", span(between(order.created_at, now)))),
    }
}

const fn between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millis() - from.as_millis()
}

/// When the call that failed last is made again, where nothing but notes came after its failure. A
/// breaker that is open makes it later.
fn next_try(events: &[Event]) -> Option<Timestamp> {
    let newest = events.iter().rfind(|it| it.kind != EventKind::OrderNoted)?;
    let wait_ms = payload(newest).get("again_in_ms")?.as_i64()?;
    Some(newest.occurred_at.plus_millis(wait_ms))
}

/// How long until then; a script goes on counting.
fn countdown(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = (between(now, at).max(0) + 999) / 1_000;
    html! { small data-until=(at) { @if seconds > 0 { "in " (seconds) " s" } @else { "now" } } }
}

/// The id of a trace, as a link where a setting says where traces are looked at.
fn trace_link(id: &str, url: &str) -> Markup {
    html! {
        @if url.is_empty() { (id) }
        @else { a href=(url.replace("{trace_id}", id)) rel="noreferrer" { (id) } }
    }
}

/// What there is to say of an event; null where nothing is.
fn payload(event: &Event) -> Value {
    let text = event.payload.as_deref();
    let json = text.and_then(|text| serde_json::from_str(text).ok());
    json.unwrap_or(Value::Null)
}

/// What can be done now. Whatever cannot is not offered; the rules have the last word.
fn acts(viewer: &Viewer, order: &Order, events: &[Event], letters: &[Found]) -> Markup {
    let path = format!("orders/{}", order.id);
    let left = refundable(order, events);
    let waits = |found: &&Found| found.letter.state == LetterState::Waiting;
    let letter = letters.iter().rev().find(waits);
    html! {
        section #acts .acts aria-label="What can be done" data-live {
            @if let (Some(Found { id, .. }), true) = (letter, order.status != Status::NeedsReview) {
                (act("redrive", "Redrive", &viewer.form("dead-letters/redrive", &html! {
                    input type="hidden" name="letter_id" value=(id);
                    input type="hidden" name="page" value=(path);
                    (reason_field("why-redrive", false))
                    button { "Try it anew" }
                })))
            }
            @if order.status == Status::NeedsReview {
                (act("ruling", "Rule", &viewer.form(&format!("{path}/ruling"), &html! {
                    (reason_field("why-ruling", true))
                    button name="ruling" value="complete" { "Complete it" }
                    // Whose money was taken is refunded.
                    @if order.progress.step != Some(Step::Commit) {
                        button name="ruling" value="undo" { "Undo it" }
                    }
                })))
            }
            @if is_cancellable(order) {
                (act("cancel", "Cancel", &viewer.form(&format!("{path}/cancel"), &html! {
                    (reason_field("why-cancel", false))
                    button .danger { "Cancel the order" }
                })))
            }
            @if left > 0 {
                (act("refund", "Refund", &viewer.form(&format!("{path}/refund"), &html! {
                    // Pressed twice, it is asked for once.
                    input type="hidden" name="key" value={ "ui-" (order.id) "-" (order.version) };
                    label for="amount" { "Amount in minor units, all where empty" }
                    input #amount name="amount_minor" inputmode="numeric" pattern="[0-9]*" placeholder=(left);
                    (reason_field("why-refund", true))
                    label { input type="checkbox" name="restock" value="true"; " The goods came back" }
                    button .danger { "Refund" }
                })))
            }
            (act("note", "Add a note", &viewer.form(&format!("{path}/note"), &html! {
                label for="note" { "Note" }
                input #note name="note" maxlength="200" required placeholder="kept in the timeline";
                button { "Add" }
            })))
        }
    }
}

/// Whether its capture was not asked for yet.
const fn is_cancellable(order: &Order) -> bool {
    match (order.status, order.progress.step) {
        (Status::Created, _) => order.fulfil,
        (Status::Processing, Some(Step::Reserve)) => order.failure.is_none(),
        (Status::Processing, Some(Step::Authorise)) => true,
        _ => false,
    }
}

/// How much of an order was neither given back nor is about to be, in minor units.
fn refundable(order: &Order, events: &[Event]) -> i64 {
    if order.status != Status::Completed {
        return 0;
    }
    order.captured_minor.as_minor() - claimed(&Refund::told_by(events))
}

fn act(id: &str, title: &str, form: &Markup) -> Markup {
    html! { details #{ "act-" (id) } { summary { (title) } (form) } }
}

fn entry(viewer: &Viewer, order: &Order, event: &Event) -> Markup {
    let (tone, text) = said(event.kind);
    let payload = payload(event);
    let word = |name: &str| payload.get(name).and_then(Value::as_str);
    let number = |name: &str| payload.get(name).and_then(Value::as_i64);
    let after = between(order.created_at, event.occurred_at);
    html! {
        li #{ "e" (event.sequence) } .(tone) {
            span .when { (time(event.occurred_at, viewer.now)) " " small { "+" (span(after)) } }
            div {
                b { (text) }
                @if let Some(step) = word("step") { " at " (named(step)) }
                @if let Some(number) = number("try") { ", try " (number) }
                @if let Some(amount) = number("amount_minor") {
                    " " (money(Money::from_minor(amount), order.currency))
                }
            }
            @if let Some(why) = word("reason") { p { (Reason::parse(why).map_or(why.to_owned(), |_| reason(why))) } }
            @for name in ["detail", "error", "label", "note", "ruling"] {
                @if let Some(text) = word(name) { p { (text) } }
            }
            @if let Some(id) = word("effect_id") { p { "effect id " code { (id) } } }
            @if let Some(wait) = number("again_in_ms") { p { "tried again after " (span(wait)) } }
            @if let Some(actor) = word("actor") { p { "by " (actor) } }
            small .kind { (event.kind.as_str()) }
        }
    }
}

fn named(word: &str) -> String {
    Step::parse(word).map_or_else(|| word.to_owned(), |it| step(it).to_owned())
}

/// What an event says to people, and whether that is good or bad.
const fn said(kind: EventKind) -> (&'static str, &'static str) {
    use EventKind as Kind;
    match kind {
        Kind::OrderCreated => ("good", "Placed"),
        Kind::OrderLabelled => ("", "Labelled"),
        Kind::OrderHidden => ("bad", "Deleted from view"),
        Kind::OrderProcessing => ("", "Fulfilment began"),
        Kind::StockReserved => ("good", "Stock reserved"),
        Kind::PaymentAuthorised => ("good", "Payment authorised"),
        Kind::PaymentCaptured => ("good", "Payment captured"),
        Kind::StockCommitted => ("good", "Stock taken"),
        Kind::OrderCompleted => ("good", "Completed"),
        Kind::TryFailed => ("bad", "No success"),
        Kind::PaymentDeclined => ("bad", "Payment declined"),
        Kind::CancelRequested => ("bad", "Cancel asked for"),
        Kind::OrderCompensating => ("bad", "Undoing what was begun"),
        Kind::PaymentVoided => ("", "Payment voided"),
        Kind::StockReleased => ("", "Stock released"),
        Kind::OrderFailed => ("bad", "Failed"),
        Kind::OrderCancelled => ("bad", "Cancelled"),
        Kind::OrderNeedsReview => ("bad", "Needs a person to decide"),
        Kind::OrderRedriven => ("good", "Tried anew"),
        Kind::OrderDecided => ("good", "Decided"),
        Kind::OrderNoted => ("", "Note"),
        Kind::LetterDiscarded => ("bad", "Let be"),
        Kind::RefundRequested => ("", "Refund asked for"),
        Kind::PaymentRefunded => ("good", "Refunded"),
        Kind::RefundFailed => ("bad", "Refund refused"),
        Kind::OrderRefunded => ("good", "All of it refunded"),
    }
}

fn lines(order: &Order) -> Markup {
    html! {
        h2 { "Lines" }
        (table("Lines", &[Text("Item"), Text("Name"), Number("Quantity"), Number("Price"), Number("Total")], &html! {
            tbody {
                @for line in &order.lines {
                    tr {
                        td { (line.item_id.as_ref().map_or("–", domain::ItemId::as_str)) }
                        td { (line.name.as_ref().map_or("–", domain::Name::as_str)) }
                        td .number { (line.quantity.get()) }
                        td .number { (money(line.unit_price_minor, order.currency)) }
                        td .number { (money(line.total().unwrap_or(Money::ZERO), order.currency)) }
                    }
                }
            }
        }))
    }
}

fn moves(viewer: &Viewer, order: &Order, transfers: &[Transfer]) -> Markup {
    html! {
        section #moves data-live {
            h2 { "Ledger and stock" }
            @if transfers.is_empty() {
                p { "Accepted for " (money(order.total_minor, order.currency)) "; nothing has moved." }
            } @else {
                (table("Transfers", &TRANSFERS, &html! {
                    tbody { @for transfer in transfers { (transfer_row(viewer, transfer, &html! { (transfer.number) })) } }
                }))
            }
        }
    }
}

pub(super) const TRANSFERS: [Column<'static>; 6] = [
    Text("Transfer"),
    Text("What became of it"),
    Text("From"),
    Text("To"),
    Number("Amount"),
    Text("When"),
];

/// A row for a transfer; `first` says whose it is.
pub(super) fn transfer_row(viewer: &Viewer, transfer: &Transfer, first: &Markup) -> Markup {
    let kind = match transfer.kind {
        TransferKind::Pending => "promised".to_owned(),
        TransferKind::Posted(number) => format!("posted {number}"),
        TransferKind::Voided(number) => format!("voided {number}"),
        TransferKind::Transfer => "moved".to_owned(),
        TransferKind::Reversal => "given back".to_owned(),
    };
    let amount = i64::try_from(transfer.amount).unwrap_or(i64::MAX);
    html! {
        tr {
            td { (first) }
            td { (kind) }
            td { (transfer.debit.as_str()) }
            td { (transfer.credit.as_str()) }
            td .number {
                @match &transfer.asset {
                    Asset::Money(currency) => (money(Money::from_minor(amount), *currency)),
                    Asset::Item(item) => { (amount) " × " (item.as_str()) }
                }
            }
            td { (time(transfer.occurred_at, viewer.now)) }
        }
    }
}

fn letters_table(viewer: &Viewer, letters: &[Found]) -> Markup {
    html! {
        section #letters data-live {
            @if !letters.is_empty() {
                h2 { "Dead letters" }
                ul { @for Found { letter, .. } in letters { (letter_line(viewer, letter)) } }
            }
        }
    }
}

fn letter_line(viewer: &Viewer, letter: &Letter) -> Markup {
    let note = letter
        .note
        .as_deref()
        .and_then(|note| serde_json::from_str(note).ok());
    let note: Value = note.unwrap_or(Value::Null);
    let said = |name: &str| note.get(name).and_then(Value::as_str);
    html! {
        li {
            (time(Timestamp::from_millis(letter.failed_at_ms), viewer.now)) " "
            b { (reason(&letter.reason)) } ": " (letter.error)
            " (" (super::dead_letters::state(letter.state)) ")"
            @if let Some(why) = said("reason") { " “" (why) "”" }
            @if let Some(actor) = said("actor") { " by " (actor) }
        }
    }
}

fn for_programs(viewer: &Viewer, order: &Order) -> Markup {
    let json = to_bytes(&OrderBody::of(order));
    let json: Value = serde_json::from_slice(&json).unwrap_or(Value::Null);
    let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
    let timeline = format!("/v1/orders/{}/timeline", order.id);
    html! {
        h2 { "For programs" }
        p #curl .copy { code { (viewer.curl(&timeline)) } }
        p {
            a href={ (viewer.root) "../v1/orders/" (order.id) } { "Order as JSON" } " · "
            a href={ (viewer.root) "../v1/orders/" (order.id) "/timeline" } { "Timeline as JSON" } " · "
            a href={ (viewer.root) "idempotency" } { "Look its idempotency key up" }
        }
        details #raw { summary { "Raw JSON" } pre tabindex="0" { (pretty) } }
    }
}
