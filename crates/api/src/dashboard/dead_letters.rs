//! Dead letters, grouped by what went wrong: see why, bring them back, or let them be.

use super::parts::{
    Column::{Number, Text},
    notice, order_link, pager, reason, table, time, words,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::v1::dead_letters::{Found, Tally, Wanted, page, tally};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::letter::{Compensated, LetterState};
use domain::order::Reason;
use domain::{OrderId, Timestamp};
use maud::{Markup, html};
use std::collections::BTreeMap;
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
        &["reason", "state", "cursor", "done", "count"],
    );
    let wanted = Wanted::of(&mut query);
    let cursor = query.cursor();
    let done = query.get("done", "must be what was done", done);
    let count = query.get("count", "must be a number", |text| text.parse::<u64>().ok());
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
                (notice("good", &count.map_or_else(|| done.to_owned(), |count| format!("{done} {count}."))))
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
    let steps = |steps: &BTreeMap<String, u64>| {
        let each = steps
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
                        @for (why, by_step) in &groups.waiting {
                            tr {
                                td .number { (by_step.values().sum::<u64>()) }
                                td { (reason(why)) }
                                td { (steps(by_step)) }
                                td { @if viewer.may_write() { (redrive_group(viewer, why)) } }
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
            input type="hidden" name="reason" value=(why);
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
        @if found.letter.compensated != Compensated::Partial {
            (viewer.form("dead-letters/redrive", &html! { (id) button { "Redrive" } }))
        }
        details #{ "d" (found.id) } {
            summary { "Discard" }
            (viewer.form("dead-letters/discard", &html! {
                (id)
                (super::parts::reason_kept(&format!("why-{}", found.id), true, "kept with the letter"))
                button .danger { "Discard" }
            }))
        }
    }
}
