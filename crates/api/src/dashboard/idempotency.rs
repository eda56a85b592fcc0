//! Looking an idempotency key up: what it stands for, and how often its answer was given again.

use super::parts::{
    Column::{Number, Text},
    notice, table, time,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::changing::ANONYMOUS;
use crate::extract::Query;
use crate::layers::Context;
use crate::problem::Problem;
use crate::v1::idempotency_keys::{RecordBody, WHOSE, find, principal};
use crate::v1::tokens;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::idempotency::Principal;
use domain::token::{Token, TokenScope};
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = super::orders::filled_in(query.as_deref().unwrap_or_default());
    let mut query = Query::of(Some(&query), &["key", "principal"]);
    let key = query.get("key", "must be a key", |text| Some(text.trim().to_owned()));
    let principal = query.get("principal", WHOSE, principal);
    query.check()?;
    let key = key.filter(|key| !key.is_empty());
    let found = match &key {
        Some(key) => Some(find(&app, &context, principal.clone(), key.as_bytes()).await),
        None => None,
    };
    let is_admin = viewer.scope == Some(TokenScope::Admin);
    let tokens = if is_admin {
        tokens::every(&app).await?
    } else {
        Vec::new()
    };

    let page = Page {
        section: Section::Idempotency,
        title: "Idempotency",
        moved_by: "",
        content: html! {
            h1 { "Idempotency" }
            p { "A key names a request: sent again with the same body it gets the same answer, byte for byte, \
                 and nothing is done twice. Each token has keys of its own"
                @if !is_admin { ", and here are yours: whoever has the scope admin may look up those of others" }
                "." }
            form .filter method="get" role="search" {
                label for="key" { "Idempotency-Key" }
                input #key name="key" type="search" maxlength="255" required value=(key.as_deref().unwrap_or(""));
                @if is_admin { (whose(&tokens, principal.as_ref())) }
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

/// Whose key it is. One that was revoked has no name here any more, only what the address says.
fn whose(tokens: &[Token], chosen: Option<&Principal>) -> Markup {
    let chosen = chosen.map(Principal::as_str);
    let is_chosen = |id: &str| chosen == Some(id);
    let gone =
        chosen.filter(|id| !id.is_empty() && !tokens.iter().any(|it| it.id.to_string() == *id));
    html! {
        label for="principal" { "Whose" }
        select #principal name="principal" {
            option value="" { "mine" }
            option value=(ANONYMOUS) selected[is_chosen("")] { "whoever comes without a token" }
            @for token in tokens {
                @let id = token.id.to_string();
                option value=(id) selected[is_chosen(&id)] {
                    (token.name.as_ref().map_or("a token", domain::Name::as_str)) " (" (token.scope.as_str()) ", …" (&id[24..]) ")"
                }
            }
            @if let Some(id) = gone { option value=(id) selected { "…" (&id[24..]) ", revoked" } }
        }
    }
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
