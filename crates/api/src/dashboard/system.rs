//! What is behind it all: the store, the cache, every setting with its origin, and what a doctor
//! would say.

use super::chart::figure;
use super::history::real;
use super::parts::{Column::Text, notice, table};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use std::sync::Arc;
use store::cache::Source;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["done"]);
    let done = query.get("done", "must be what was done", |it| {
        (it == "flush").then_some(())
    });
    query.check()?;
    let stats = app.store.stats().await?;
    let (settings, findings) = match app.inside() {
        Some(inside) => (inside.settings(), inside.examine().await),
        None => (Vec::new(), Vec::new()),
    };

    let page = Page {
        section: Section::System,
        title: "System",
        moved_by: "",
        content: html! {
            h1 { "System" }
            @if done.is_some() { (notice("good", "The cache is empty.")) }
            dl .facts {
                div { dt { "Version" } dd { (app.settings.version) } }
                div { dt { "Store" } dd { (stats.location) } }
                div { dt { "Schema" } dd { (stats.schema_version) } }
                div { dt { "On disk" } dd { (bytes(stats.size_bytes)) } }
            }
            h2 { "Doctor" }
            ul .findings {
                @for it in &findings {
                    li .(if it.is_good { "good" } else { "bad" }) {
                        (if it.is_good { "✓ " } else { "✕ " }) b { (it.subject) } " " (it.detail)
                        @if let Some(fix) = &it.fix { p { "Fix: " (fix) } }
                    }
                }
            }
            (cache(&viewer, &app))
            h2 { "Settings" }
            (table("Settings", &[Text("Setting"), Text("Value"), Text("From")], &html! {
                tbody {
                    @for it in &settings {
                        tr { td .id { (it.key) } td { (it.value) } td { (it.source) } }
                    }
                }
            }))
        },
    };
    Ok(page.for_viewer(&viewer))
}

fn cache(viewer: &Viewer, app: &App) -> Markup {
    let stats = app.cache.stats();
    let reads = |source| app.metrics.reads(source);
    html! {
        h2 { "Cache" }
        dl .facts {
            div { dt { "Kind" } dd { (stats.kind) @if !stats.up { ", away" } } }
            div { dt { "Answers kept" } dd { (stats.entries) ", " (bytes(stats.bytes)) } }
            div { dt { "Hits" } dd { (reads(Source::Hit)) } }
            div { dt { "Misses" } dd { (reads(Source::Miss)) } }
            div { dt { "Bypasses" } dd { (reads(Source::Bypass)) } }
        }
        @if viewer.may_write() {
            (viewer.form("cache/flush", &html! { button .plain { "Empty the cache" } }))
        }
    }
}

fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        ..0x400 => return format!("{count} bytes"),
        0x400..0x10_0000 => (0x400, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000, "GiB"),
    };
    format!("{} {name}", figure(real(count) / real(unit)))
}
