//! Who is asked for money and stock, and how they are doing.

use super::inside::Inside;
use super::parts::{
    Column::{Number, Text},
    span, table,
};
use super::shell::{Page, Section, Viewer};
use crate::App;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::Response;
use maud::html;
use std::sync::Arc;

pub(super) async fn show(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Response, Problem> {
    let providers = app.inside().map_or_else(Vec::new, Inside::providers);

    let page = Page {
        section: Section::Providers,
        title: "Providers",
        moved_by: "always",
        content: html! {
            h1 { "Providers" }
            p { "Each is called with a deadline and a bound on calls at once. After twenty failures in a \
                 row its breaker opens: it is left alone for a while, and no order spends a try on it." }
            @if providers.is_empty() {
                p { "This process calls nobody: its workers are elsewhere, or off." }
            } @else {
                (table("Providers", &[Text("Provider"), Text("Who"), Text("Breaker"), Number("Failures in a row"), Number("Calls under way")], &html! {
                    tbody #providers data-live {
                        @for it in &providers {
                            tr {
                                td { (it.name) }
                                td { @if viewer.may_write() { (it.address) } @else { "–" } }
                                td {
                                    @match it.open_for_ms {
                                        None => span .status.completed { span aria-hidden="true" { "●" } " closed" },
                                        Some(millis) => span .status.failed {
                                            span aria-hidden="true" { "✕" } " open, asks again in " (span(millis.max(0)))
                                        },
                                    }
                                }
                                td .number { (it.failures) }
                                td .number { (it.calls) " of " (it.calls_max) }
                            }
                        }
                    }
                }))
            }
        },
    };
    Ok(page.for_viewer(&viewer))
}
