//! Dead letters, grouped by what went wrong: see why, bring them back, or let them be.

use super::parts::{
    Column::{Number, Text},
    notice, order_link, pager, reason, reason_field, table, time, words,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::v1::dead_letters::{Found, Group, Tally, Wanted, page, tally};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::letter::{Compensated, LetterState};
use domain::order::Reason;
use domain::{OrderId, Timestamp};
use maud::{Markup, html};
use std::sync::Arc;

/// How many letters a page has.
const LIMIT: usize = 25;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = super::orders::filled_in(query.as_deref().unwrap_or_default());
    let mut query = Query::of(
        Some(&query),
        &[
            "reason", "state", "cursor", "done", "count", "skipped", "more",
        ],
    );
    let wanted = Wanted::of(&mut query);
    let cursor = query.cursor();
    let done = query.get("done", "must be what was done", done);
    let mut number = |name| query.get(name, "must be a number", |text| text.parse::<u64>().ok());
    let (count, skipped) = (number("count"), number("skipped"));
    let more = query.get("more", "must be true or false", |text| text.parse().ok());
    query.check()?;
    let (letters, next) = page(&app, &wanted, cursor.as_deref(), LIMIT).await?;
    let groups = tally(&app).await?;

    let page = Page {
        section: Section::DeadLetters,
        title: "Dead letters",
        moved_by: "orders",
        content: html! {
            h1 { "Dead letters" }
            @if let Some(done) = done {
                (notice("good", &said(done, count, skipped, more)))
            }
            (groups_table(&viewer, &groups))
            (filter(&viewer, &wanted))
            @if letters.is_empty() { p { "No letter is like that." } }
            (table("Dead letters", &[Text("Order"), Text("Given up"), Text("Step"), Text("What went wrong"), Text("Undone"), Text("State"), Text("Act")], &html! {
                tbody #letters data-live[cursor.is_none()] {
                    @for found in &letters { (row(&viewer, found)) }
                }
            }))
            (pager("dead-letters", &wanted.as_query(), cursor.is_none(), next.as_deref()))
        },
    };
    Ok(page.for_viewer(&viewer))
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "redrive" => "It is tried anew.",
        "discard" => "It is let be.",
        "dry-run" => "Nothing was done. So many would be brought back:",
        "redrive-all" => "So many were brought back:",
        _ => return None,
    })
}

/// What was done, to how many, and what is left.
fn said(done: &str, count: Option<u64>, skipped: Option<u64>, more: Option<bool>) -> String {
    let count = count.map_or_else(String::new, |count| format!(" {count}."));
    let skipped = skipped.filter(|skipped| *skipped > 0).map(|skipped| {
        format!(
            " Left out, since a person has to rule first or they cannot be brought back: {skipped}."
        )
    });
    let more = more.filter(|more| *more);
    let more = more.map_or("", |_| " There are more than are brought back at once.");
    format!("{done}{count}{}{more}", skipped.unwrap_or_default())
}

/// What a letter waits for.
pub(super) const fn state(state: LetterState) -> &'static str {
    match state {
        LetterState::Waiting => "waiting",
        LetterState::Redriven => "brought back",
        LetterState::Discarded => "discarded",
    }
}

/// How many wait, by why they were given up.
fn groups_table(viewer: &Viewer, groups: &Tally) -> Markup {
    let steps = |group: &Group| {
        let each = group
            .by_step
            .iter()
            .map(|(step, count)| format!("{count} at {}", words(step)));
        each.collect::<Vec<_>>().join(", ")
    };
    html! {
        section #groups data-live {
            @if !groups.is_whole {
                p { "There are more letters than were counted here; " code { "orderd dlq list" } " has them all." }
            }
            @if groups.waiting.is_empty() {
                @if groups.is_whole { p { "None waits: every order is done, or on its way." } }
            } @else {
                (table("Groups", &[Number("Waiting"), Text("Why"), Text("Where"), Text("Act")], &html! {
                    tbody {
                        @for (why, group) in &groups.waiting {
                            tr {
                                td .number { (group.by_step.values().sum::<u64>()) }
                                td { (reason(why)) }
                                td { (steps(group)) }
                                td { @if viewer.may_write() && group.redrivable > 0 { (redrive_group(viewer, why)) } }
                            }
                        }
                    }
                }))
            }
        }
    }
}

/// The buttons that bring all letters with one reason back.
fn redrive_group(viewer: &Viewer, why: &str) -> Markup {
    viewer.form(
        "dead-letters/redrive-all",
        &html! {
            input type="hidden" name="why" value=(why);
            (reason_field(&format!("why-{why}"), false))
            button .plain name="dry_run" value="true" { "How many?" }
            button { "Redrive all “" (reason(why)) "”" }
        },
    )
}

fn filter(viewer: &Viewer, wanted: &Wanted) -> Markup {
    html! {
        form .filter method="get" action={ (viewer.root) "dead-letters" } role="search" {
            label for="reason" { "Why" }
            select #reason name="reason" {
                option value="" { "any" }
                @for it in Reason::ALL {
                    option value=(it.as_str()) selected[wanted.reason() == Some(it)] { (reason(it.as_str())) }
                }
            }
            label for="state" { "State" }
            select #state name="state" {
                @for it in ["waiting", "redriven", "discarded", "all"] {
                    option value=(it) selected[wanted.state() == it] { (it) }
                }
            }
            button { "Filter" }
        }
    }
}

fn row(viewer: &Viewer, found: &Found) -> Markup {
    let letter = &found.letter;
    let undone = match letter.compensated {
        Compensated::Yes => "✓ all",
        Compensated::No => "nothing to undo",
        Compensated::Partial => "▲ in part",
    };
    html! {
        tr #{ "l" (found.id) } {
            td {
                @match OrderId::parse(&letter.order_id) {
                    Some(id) => (order_link(viewer.root, id)),
                    None => (letter.order_id),
                }
            }
            td { (time(Timestamp::from_millis(letter.failed_at_ms), viewer.now)) }
            td { (letter.step.as_deref().unwrap_or("–")) }
            td { b { (reason(&letter.reason)) } @if letter.tries > 0 { " after " (letter.tries) " tries" } ": " (letter.error) }
            td { (undone) }
            td { (state(letter.state)) @if letter.round > 1 { ", round " (letter.round) } }
            td { @if viewer.may_write() && letter.state == LetterState::Waiting { (acts(viewer, found)) } }
        }
    }
}

fn acts(viewer: &Viewer, found: &Found) -> Markup {
    let id = html! { input type="hidden" name="letter_id" value=(found.id); };
    html! {
        @if found.letter.may_be_redriven() {
            (viewer.form("dead-letters/redrive", &html! { (id) button { "Redrive" } }))
        }
        details #{ "d" (found.id) } {
            summary { "Discard" }
            (viewer.form("dead-letters/discard", &html! {
                (id)
                (reason_field(&format!("why-{}", found.id), true))
                button .danger { "Discard" }
            }))
        }
    }
}
