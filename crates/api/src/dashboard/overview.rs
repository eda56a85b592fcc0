//! The first page: what is wrong, how it goes, now and lately, and the newest orders.

use super::chart::{Chart, Line, figure};
use super::history::{Figures, Sample, Span, real};
use super::orders::rows;
use super::parts::{
    Column::{Number, Text},
    span, table,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use std::sync::Arc;
use store::OrderQuery;

/// How many of the newest orders are shown.
const NEWEST: usize = 10;
/// Over how many seconds a rate is told, so that it can be read before it changes.
const RATE_S: usize = 10;
/// From when on a queue is said to stand still: as long as the alert `OrderdQueueOld` has it.
const STALLED_MS: i64 = 60_000;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["span"]);
    let shown = query.get("span", "must be 2m, 1h or 24h", Span::parse);
    query.check()?;
    let shown = shown.unwrap_or_default();
    app.history.look(viewer.now);
    let newest = OrderQuery {
        customer_id: None,
        status: None,
        from: None,
        before: None,
        limit: NEWEST,
    };
    let newest = app.store.orders(newest).await?.items;

    let page = Page {
        section: Section::Overview,
        title: "Overview",
        moved_by: "always",
        content: html! {
            h1 { "Overview" }
            (alarms(&viewer, &app))
            (tiles(&viewer, &app))
            (charts(&viewer, &app, shown))
            h2 { "Newest orders" }
            div #none data-live {
                @if newest.is_empty() {
                    p { "None yet. Place one: " code { "orderd order create --customer ada --line pen:2" } }
                }
            }
            (table("Newest orders", &super::orders::HEAD, &html! {
                tbody #newest data-live="rows" { (rows(&viewer, &newest)) }
            }))
        },
    };
    Ok(page.for_viewer(&viewer))
}

/// What the alerts would say that no tile makes plain. How late it is stands in a tile: what is said
/// aloud does not change every second.
fn alarms(viewer: &Viewer, app: &App) -> Markup {
    let figures = app.history.figures(viewer.now);
    let stalled = |age_ms: fn(Figures) -> i64| figures.is_some_and(|it| age_ms(it) > STALLED_MS);
    html! {
        div #alarms data-live {
            @for (check, count) in app.metrics.violations() {
                (alarm(check.as_str(), "OrderdInvariantViolated", &html! {
                    b { "The database does not keep a promise any more" }
                    ": the check " code { (check.as_str()) } " found " (count) ". Nothing repairs itself here: "
                    "back up what there is, let " code { "orderd verify" } " say what else is wrong, and see whether "
                    a href={ (viewer.root) "ledger" } { "the ledger" } " balances."
                }))
            }
            @if stalled(|it| it.fulfil_ms) {
                (alarm("fulfil", "OrderdQueueOld", &html! {
                    b { "Orders are not worked on" }
                    ": the first has been due for more than a minute. Does a worker run, and do "
                    a href={ (viewer.root) "providers" } { "the providers" } " answer?"
                }))
            }
            @if stalled(|it| it.announce_ms) {
                (alarm("announce", "OrderdQueueOld", &html! {
                    b { "Webhooks or topics are not told" }
                    ": the first has been due for more than a minute. "
                    code { "orderd webhook list" } " shows which take less than comes."
                }))
            }
        }
    }
}

fn alarm(name: &str, alert: &str, text: &Markup) -> Markup {
    html! {
        p #{ "alarm-" (name) } .notice .bad role="alert" {
            (text) " More under " (alert) " in " code { "docs/operations/monitoring.md" } "."
        }
    }
}

fn tiles(viewer: &Viewer, app: &App) -> Markup {
    let samples = app.history.samples(Span::Minutes);
    let recent = &samples[samples.len().saturating_sub(RATE_S)..];
    let minute = &samples[samples.len().saturating_sub(60)..];
    let figures = app.history.figures(viewer.now);
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "–".to_owned(), |share| figure(share * 100.0) + " %")
    };
    let ms = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| figure(ms) + " ms");
    let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |it| it.to_string());
    let late = figures.map_or_else(String::new, |it| match it.oldest_ms() {
        0 => "none is late".to_owned(),
        late => format!("oldest due for {}", span(late)),
    });
    let failed = mean(minute.iter().filter_map(|it| it.failed));
    html! {
        dl #tiles .tiles data-live {
            (tile("Orders a second", &figure(mean(recent.iter().map(|it| it.orders)).unwrap_or(0.0)), ""))
            (tile("Writes answered within", &ms(worst(recent)), "99 of 100, last 10 s"))
            (tile("Waiting", &count(figures.map(|it| it.waiting)), &late))
            (tile("Orders that failed", &percent(failed), "last minute"))
            (tile("Dead letters", &count(figures.map(|it| it.letters)), if figures.is_some_and(|it| it.letters > 0) { "wait for you" } else { "" }))
            (tile("Reads from the cache", &percent(mean(minute.iter().filter_map(|it| it.hits))), "last minute"))
        }
    }
}

/// Whether orders are driven to their end by this process.
fn works_here(app: &App) -> bool {
    app.inside()
        .is_none_or(|inside| !inside.providers().is_empty())
}

fn tile(name: &str, value: &str, more: &str) -> Markup {
    html! { div { dt { (name) } dd { b { (value) } " " span { (more) } } } }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}

fn worst(samples: &[Sample]) -> Option<f64> {
    samples.iter().filter_map(|it| it.slow_ms).reduce(f64::max)
}

fn charts(viewer: &Viewer, app: &App, shown: Span) -> Markup {
    let samples = app.history.samples(shown);
    let all = |value: fn(&Sample) -> Option<f64>| samples.iter().map(value).collect();
    let chart = |title, unit, top_min, lines: &[Line<'_>]| {
        let (_, length) = shown.samples();
        let span = shown.title();
        Chart {
            title,
            span,
            unit,
            lines,
            length,
            top_min,
        }
        .render()
    };
    let line = |name, value| Line {
        name,
        values: all(value),
    };
    html! {
        nav .tabs aria-label="Time shown" {
            @for it in Span::ALL {
                a href={ (viewer.root) "?span=" (it.as_str()) }
                    aria-current=[(it == shown).then_some("true")] { (it.title()) }
            }
        }
        div #charts .charts data-live {
            // What workers elsewhere do, this process does not know.
            @if works_here(app) {
                (chart("Orders a second", "", 1.0, &[
                    line("placed", |it| Some(it.orders)),
                    line("completed", |it| Some(it.completed)),
                ]))
            } @else {
                (chart("Orders a second", "", 1.0, &[line("placed", |it| Some(it.orders))]))
            }
            (chart("Writes answered", " ms", 1.0, &[
                line("99 of 100 within", |it| it.slow_ms),
                line("half within", |it| it.median_ms),
            ]))
            (chart("Waiting", "", 10.0, &[
                line("wakes", |it| it.figures.map(|it| real(it.waiting))),
            ]))
            (chart("Oldest due for", " s", 1.0, &[
                line("oldest", |it| it.figures.map(|it| real(it.oldest_ms().unsigned_abs()) / 1_000.0)),
            ]))
            (chart("Orders that failed", " %", 10.0, &[
                line("failed", |it| it.failed.map(|share| share * 100.0)),
            ]))
            (chart("Reads from the cache", " %", 100.0, &[
                line("hits", |it| it.hits.map(|share| share * 100.0)),
            ]))
        }
        details .figures {
            summary { "Show as a table" }
            (table("Figures", &[Text("Until"), Number("Placed/s"), Number("Completed/s"), Number("99 % ms"), Number("Waiting"), Text("Dead letters")], &html! {
                tbody #figures data-live {
                    @for it in samples.iter().rev() {
                        tr {
                            td { (super::parts::time(it.at, viewer.now)) }
                            td .number { (figure(it.orders)) }
                            td .number { (figure(it.completed)) }
                            td .number { (it.slow_ms.map_or_else(|| "–".to_owned(), figure)) }
                            td .number { (it.figures.map_or(0, |it| it.waiting)) }
                            td .number { (it.figures.map_or(0, |it| it.letters)) }
                        }
                    }
                }
            }))
        }
    }
}
