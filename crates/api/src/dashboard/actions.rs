//! What forms do: each is the call of `/v1` that a client would make, by the handler that it would
//! meet, and then the page again.

use super::session::{Form, back};
use super::shell::{Page, Viewer};
use crate::App;
use crate::extract::{IDEMPOTENCY_KEY, OrderPath, TextPath};
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::v1::{cache, dead_letters, fulfilment, refunds, stock};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use http_body_util::{BodyExt, Collected};
use serde_json::{Value, json};
use std::sync::Arc;

type Acted = Result<Response, Problem>;

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    OrderPath(id): OrderPath,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    fulfilment::cancel(State(app), context, OrderPath(id), call(&reason(&form))).await?;
    Ok(to_order(&viewer, &id.to_string(), "cancel"))
}

pub(super) async fn rule(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    OrderPath(id): OrderPath,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let body = json!({ "ruling": form.get("ruling"), "reason": form.get("reason") });
    fulfilment::rule(State(app), context, OrderPath(id), call(&body)).await?;
    Ok(to_order(&viewer, &id.to_string(), "ruling"))
}

pub(super) async fn note(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    OrderPath(id): OrderPath,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let body = json!({ "note": form.get("note") });
    fulfilment::note(State(app), context, OrderPath(id), call(&body)).await?;
    Ok(to_order(&viewer, &id.to_string(), "note"))
}

pub(super) async fn refund(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    OrderPath(id): OrderPath,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let mut body =
        json!({ "reason": form.get("reason"), "restock": form.get("restock") == "true" });
    if !form.get("amount_minor").is_empty() {
        body["amount_minor"] = number(form.get("amount_minor"))?;
    }
    let mut call = call(&body);
    if let Ok(key) = HeaderValue::from_str(form.get("key")) {
        call.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    refunds::request(State(app), context, OrderPath(id), call).await?;
    Ok(to_order(&viewer, &id.to_string(), "refund"))
}

pub(super) async fn adjust_stock(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let body = json!({ "change": number(form.get("change"))?, "reason": form.get("reason") });
    let item = TextPath(form.get("item_id").to_owned());
    stock::adjust(State(app), context, item, call(&body)).await?;
    Ok(back(&format!("{}products?done=stock", viewer.root), None))
}

pub(super) async fn redrive(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let letter = TextPath(form.get("letter_id").to_owned());
    dead_letters::redrive(State(app), context, letter, call(&reason(&form))).await?;
    let page = match form.get("page") {
        "" => "dead-letters",
        page => page,
    };
    Ok(back(
        &Page::after(viewer.root, &format!("{page}?done=redrive")),
        None,
    ))
}

pub(super) async fn redrive_all(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let dry_run = form.get("dry_run") == "true";
    let note = form.get("reason");
    let body = json!({
        "reason": form.get("why"), "limit": 1_000, "dry_run": dry_run,
        "note": (!note.is_empty()).then_some(note),
    });
    let answer = dead_letters::redrive_all(State(app), context, call(&body)).await?;
    let counts = read(answer).await;
    let (done, counted) = if dry_run {
        ("dry-run", "matching")
    } else {
        ("redrive-all", "redriven")
    };
    let (count, skipped, more) = (&counts[counted], &counts["skipped"], &counts["more"]);
    Ok(back(
        &format!(
            "{}dead-letters?done={done}&count={count}&skipped={skipped}&more={more}",
            viewer.root
        ),
        None,
    ))
}

pub(super) async fn discard(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    request: Request,
) -> Acted {
    let form = Form::read(&app, request).await?;
    let letter = TextPath(form.get("letter_id").to_owned());
    dead_letters::discard(State(app), context, letter, call(&reason(&form))).await?;
    Ok(back(
        &format!("{}dead-letters?done=discard", viewer.root),
        None,
    ))
}

pub(super) async fn flush(
    State(app): State<Arc<App>>,
    context: Extension<Context>,
    viewer: Viewer,
    request: Request,
) -> Acted {
    Form::read(&app, request).await?;
    cache::flush(State(app), context).await?;
    Ok(back(&format!("{}system?done=flush", viewer.root), None))
}

/// The request that a client of `/v1` would send.
fn call(body: &Value) -> Request {
    let mut request = Request::new(Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    request
}

fn reason(form: &Form) -> Value {
    let reason = form.get("reason");
    json!({ "reason": (!reason.is_empty()).then_some(reason) })
}

fn number(text: &str) -> Result<Value, Problem> {
    let number: i64 = text.parse().map_err(|_| {
        Problem::new(
            Code::ValidationFailed,
            format!("“{text}” is not a whole number."),
        )
    })?;
    Ok(number.into())
}

fn to_order(viewer: &Viewer, id: &str, done: &str) -> Response {
    back(&format!("{}orders/{id}?done={done}", viewer.root), None)
}

/// The answer of a handler.
async fn read(answer: Response) -> Value {
    let body = answer.into_body().collect().await;
    let bytes = body.map(Collected::to_bytes).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
