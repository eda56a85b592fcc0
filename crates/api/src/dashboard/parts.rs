//! Small things that many pages show, each rendered in one way.

use domain::order::{Reason, Step};
use domain::{Currency, Money, Order, OrderId, Status, Timestamp};
use maud::{Markup, html};

/// How far an order is, by a shape and a word: colour alone says nothing to many.
pub(super) fn status(status: Status) -> Markup {
    let shape = match status {
        Status::Created => "○",
        Status::Processing => "◐",
        Status::Completed => "●",
        Status::Compensating => "↺",
        Status::Failed => "✕",
        Status::Cancelled => "⊘",
        Status::NeedsReview => "▲",
        Status::Refunded => "↩",
    };
    let word = status.as_str().replace('_', " ");
    html! { span .status .(status.as_str()) { span aria-hidden="true" { (shape) } " " (word) } }
}

/// A time to the second, with the day where it is not today's; in full for whoever points at it.
pub(super) fn time(at: Timestamp, now: Timestamp) -> Markup {
    let (text, today) = (at.to_string(), now.to_string());
    let shown = if text[..10] == today[..10] {
        text[11..19].to_owned()
    } else {
        format!("{} {}", &text[..10], &text[11..19])
    };
    html! { time datetime=(text) title=(text) { (shown) } }
}

/// A span of time in two figures or so: `340 ms`, `4.2 s`, `3 min`, `2 h`, `5 d`.
pub(super) fn span(millis: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two figures of it are shown")]
    let seconds = millis as f64 / 1_000.0;
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{seconds:.1} s"),
        10_000..120_000 => format!("{seconds:.0} s"),
        120_000..7_200_000 => format!("{:.0} min", seconds / 60.0),
        7_200_000..172_800_000 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// An amount with its currency.
pub(super) fn money(amount: Money, currency: Currency) -> Markup {
    html! { (amount.to_fixed(currency)) " " (currency.as_str()) }
}

/// A link to an order, by the end of its id: the beginning is the time, which many have in common.
pub(super) fn order_link(root: &str, id: OrderId) -> Markup {
    let text = id.to_string();
    html! { a .id href={ (root) "orders/" (text) } title=(text) { "…" (&text[24..]) } }
}

/// Who an order is for.
pub(super) fn customer(order: &Order) -> &str {
    let name = order.customer_name.as_ref().map(domain::Name::as_str);
    let id = order.customer_id.as_ref().map(domain::CustomerId::as_str);
    name.or(id).unwrap_or("–")
}

/// A word of the rules, for people.
pub(super) fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// What a step does.
pub(super) const fn step(step: Step) -> &'static str {
    match step {
        Step::Reserve => "reserve stock",
        Step::Authorise => "authorise payment",
        Step::Capture => "capture payment",
        Step::Commit => "take stock",
        Step::Void => "void payment",
        Step::Release => "release stock",
    }
}

/// Why an order was given up.
pub(super) fn reason(word: &str) -> String {
    let known = Reason::parse(word).map(|reason| match reason {
        Reason::PaymentDeclined => "payment declined",
        Reason::StockUnavailable => "not enough stock",
        Reason::RetriesExhausted => "tried too often",
        Reason::Poison => "cannot be worked on",
        Reason::CompensationFailed => "could not be undone",
    });
    known.map_or_else(|| words(word), str::to_owned)
}

/// Something that is said once, at the top of a page; `kind` is good or bad.
pub(super) fn notice(kind: &str, text: &str) -> Markup {
    html! { p .notice .(kind) role="status" { (text) } }
}

/// A column of a table, by its name; numbers stand at its right.
#[derive(Clone, Copy)]
pub(super) enum Column<'a> {
    Text(&'a str),
    Number(&'a str),
}

impl Column<'_> {
    fn head(self) -> Markup {
        match self {
            Self::Text(name) => html! { th scope="col" { (name) } },
            Self::Number(name) => html! { th .number scope="col" { (name) } },
        }
    }
}

/// A table that scrolls within itself where it is too wide, so that the page does not.
pub(super) fn table(label: &str, head: &[Column<'_>], rows: &Markup) -> Markup {
    html! {
        div .scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for column in head { (column.head()) } } }
                (rows)
            }
        }
    }
}

/// The way to the next page of a list, and back to the first.
pub(super) fn pager(here: &str, filters: &str, is_first: bool, next: Option<&str>) -> Markup {
    html! {
        nav #pager .pager aria-label="Pages" data-live {
            @if !is_first { a href={ (here) "?" (filters) } { "First page" } }
            @if let Some(next) = next {
                a rel="next" href={ (here) "?" (filters) "cursor=" (next) } { "Next page" }
            }
        }
    }
}

/// A field of a form that says why something is done to an order.
pub(super) fn reason_field(id: &str, required: bool) -> Markup {
    reason_kept(id, required, "kept in the timeline")
}

/// A field of a form that says why something is done, and where that is kept.
pub(super) fn reason_kept(id: &str, required: bool, kept: &str) -> Markup {
    html! {
        label for=(id) { "Reason" }
        input #(id) name="reason" maxlength="200" required[required] placeholder=(kept);
    }
}

#[cfg(test)]
mod tests;
