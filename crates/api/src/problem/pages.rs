//! What there is to read of a sort of problem: as a page, as Markdown, and for programs.

use super::Code;
use crate::extract::TextPath;
use crate::layers::Context;
use crate::openapi::example;
use crate::pages::{Form, negotiated, page};
use crate::problem::Problem;
use crate::renderers::to_bytes;
use crate::v1::orders::JSON;
use axum::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

const MARKDOWN: HeaderValue = HeaderValue::from_static("text/markdown; charset=utf-8");

/// A sort of problem.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemSort)]
pub(crate) struct SortBody {
    /// Its name for programs; never changes.
    code: &'static str,
    /// The status that it usually has.
    status: u16,
    /// It in a few words.
    title: &'static str,
    /// Why it happens.
    cause: &'static str,
    /// What to do about it.
    fix: &'static str,
    /// Whether the same request, with the same idempotency key, may succeed later.
    retryable: bool,
    /// A body that has it.
    #[schema(value_type = Object)]
    example: Value,
}

/// Every sort of problem.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemSorts)]
pub(crate) struct SortsBody {
    /// By their codes.
    items: Vec<SortBody>,
}

impl SortBody {
    fn of(code: Code) -> Self {
        let row = code.row();
        Self {
            code: row.code,
            status: row.status,
            title: row.title,
            cause: row.cause,
            fix: row.fix,
            retryable: row.is_retryable(),
            example: example(code),
        }
    }

    fn path(&self) -> String {
        self.code.replace('_', "-")
    }

    fn retry(&self) -> &'static str {
        match (self.retryable, self.status) {
            (false, _) => "No: it fails again until the request or the state is another.",
            (true, 429 | 503) => {
                "Yes: the same request with the same Idempotency-Key, after the seconds of Retry-After."
            }
            (true, _) => "Yes: the same request with the same Idempotency-Key.",
        }
    }
}

/// Every sort of problem
///
/// As a page, as Markdown, or as JSON: what `Accept` asks for.
#[utoipa::path(
    get,
    path = "/problems",
    operation_id = "list_problems",
    tag = "operations",
    responses((status = 200, description = "A list", content(
        (SortsBody = "application/json"),
        (String = "text/markdown"),
        (String = "text/html"),
    ), headers(
        ("Vary" = String, description = "`Accept`"),
        ("Content-Security-Policy" = String, description = "Of the page"),
    ))),
)]
pub(crate) async fn list(
    Extension(Context { prefix, .. }): Extension<Context>,
    headers: HeaderMap,
) -> Response {
    let items: Vec<SortBody> = Code::ALL.into_iter().map(SortBody::of).collect();
    negotiated(match Form::of(&headers) {
        Form::Json => ([(CONTENT_TYPE, JSON)], to_bytes(&SortsBody { items })).into_response(),
        Form::Markdown => {
            let line = |sort: &SortBody| {
                let path = sort.path();
                format!(
                    "- {} `{}` {}: {prefix}/problems/{path}\n",
                    sort.status, sort.code, sort.title
                )
            };
            let lines: String = items.iter().map(line).collect();
            let text = format!("# Problems\n\n{lines}");
            ([(CONTENT_TYPE, MARKDOWN)], text).into_response()
        }
        Form::Html => page(
            "Problems",
            &html! {
                nav { a href="docs" { "API" } }
                h1 { "Problems" }
                p { "Every way in which a request can fail. The code is what a program should look at; it never changes." }
                table {
                    thead { tr { th { "Status" } th { "Code" } th { "What" } } }
                    tbody {
                        @for sort in &items {
                            tr {
                                td { (sort.status) }
                                td { a href=(format!("problems/{}", sort.path())) { code { (sort.code) } } }
                                td { (sort.title) }
                            }
                        }
                    }
                }
            },
        ),
    })
}

/// What a sort of problem means, and what to do
///
/// As a page, as Markdown, or as JSON: what `Accept` asks for.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    operation_id = "show_problem",
    tag = "operations",
    params(("code" = String, Path, description = "As in the `type` of a problem")),
    responses(
        (status = 200, description = "An explanation", content(
            (SortBody = "application/json"),
            (String = "text/markdown"),
            (String = "text/html"),
        ), headers(
        ("Vary" = String, description = "`Accept`"),
        ("Content-Security-Policy" = String, description = "Of the page"),
    )),
        (status = 404, description = "There is no such problem", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    TextPath(code): TextPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = Code::parse(&code).ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "No problem has this code; /problems lists them.",
        )
    })?;
    let sort = SortBody::of(code);
    let example = format!("{:#}", sort.example);
    Ok(negotiated(match Form::of(&headers) {
        Form::Json => ([(CONTENT_TYPE, JSON)], to_bytes(&sort)).into_response(),
        Form::Markdown => {
            let text = format!(
                "# {}\n\nCode: `{}`\nStatus: {}\nWorth a retry: {}\n\n## Why\n\n{}\n\n## What to do\n\n{}\n\n\
                 ## An example\n\n```json\n{example}\n```\n",
                sort.title,
                sort.code,
                sort.status,
                sort.retry(),
                sort.cause,
                sort.fix
            );
            ([(CONTENT_TYPE, MARKDOWN)], text).into_response()
        }
        Form::Html => page(
            sort.title,
            &html! {
                nav { a href="../problems" { "Problems" } " · " a href="../docs" { "API" } }
                h1 { (sort.title) }
                dl {
                    dt { "Code" } dd { code { (sort.code) } }
                    dt { "Status" } dd { (sort.status) }
                    dt { "Worth a retry" } dd { (sort.retry()) }
                }
                h2 { "Why" }
                p { (sort.cause) }
                h2 { "What to do" }
                p { (sort.fix) }
                h2 { "An example" }
                pre tabindex="0" { code { (example) } }
            },
        ),
    }))
}
