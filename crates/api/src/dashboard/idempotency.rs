//! Looking an idempotency key up: what it stands for, and how often its answer was given again.

use super::parts::{
    Column::{Number, Text},
    notice, table, time,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::extract::Query;
use crate::layers::Context;
use crate::problem::Problem;
use crate::v1::idempotency_keys::{self, RecordBody};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["key"]);
    let key = query.get("key", "must be a key", |text| Some(text.trim().to_owned()));
    query.check()?;
    let key = key.filter(|key| !key.is_empty());
    let found = match &key {
        Some(key) => Some(idempotency_keys::find(&app, &context, key.as_bytes()).await),
        None => None,
    };

    let page = Page {
        section: Section::Idempotency,
        title: "Idempotency",
        moved_by: "",
        content: html! {
            h1 { "Idempotency" }
            p { "A key names a request: sent again with the same body it gets the same answer, byte for byte, \
                 and nothing is done twice. Keys are looked up as whoever looks: each token has its own." }
            form .filter method="get" role="search" {
                label for="key" { "Idempotency-Key" }
                input #key name="key" type="search" maxlength="255" required value=(key.as_deref().unwrap_or(""));
                button { "Look up" }
            }
            @match &found {
                None => {},
                Some(Err(problem)) => (notice("bad", problem.detail())),
                Some(Ok(records)) => (records_table(&viewer, records)),
            }
        },
    };
    Ok(page.for_viewer(&viewer))
}

fn records_table(viewer: &Viewer, records: &[RecordBody]) -> Markup {
    let head = [
        Text("Request"),
        Text("Fingerprint"),
        Text("Answer"),
        Text("Order"),
        Text("First used"),
        Number("Given again"),
        Text("Forgotten"),
    ];
    table(
        "Records",
        &head,
        &html! {
            tbody {
                @for it in records {
                    tr {
                        td { (it.method) " " (it.route) }
                        td .id { (it.fingerprint) }
                        td { (it.status) }
                        td {
                            @if let Some(id) = &it.order_id {
                                a .id href={ (viewer.root) "orders/" (id) } { "…" (&id[24..]) }
                            }
                        }
                        td { (time(it.created_at, viewer.now)) }
                        td .number { (it.replays) " times" }
                        td { (time(it.expires_at, viewer.now)) }
                    }
                }
            }
        },
    )
}
