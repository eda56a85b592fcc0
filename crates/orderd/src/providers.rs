//! `orderd providers`: the simulated payment and inventory services as a real HTTP server, to try
//! the way to real ones.

use crate::Globals;
use crate::client::url_of;
use crate::listener::{self, Limits};
use crate::port;
use crate::serve::signals::Signals;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::fulfil::{Answer, Call, CallKind, Refused};
use domain::{Currency, EventId, Money, OrderId};
use serde_json::{Value, json};
use setup::clock::SystemClock;
use setup::config::{self, Config};
use setup::exit::{Code, Exit};
use setup::fulfilment::behaviour;
use setup::telemetry;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;
use worker::Provider;
use worker::providers::books::Books;
use worker::providers::simulated::{LOST, Simulated};

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: String,
    /// Keep the books in this file, so that they outlive the process
    #[arg(long, value_name = "FILE")]
    books: Option<PathBuf>,
}

/// Runs the sub-command.
pub(crate) fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let listen = ("--listen", "server.listen", args.listen);
    let config = config::load(globals, vec![listen])?;
    let telemetry = telemetry::start(&config.settings);
    let served = serve(&config, args.books);
    let code = crate::serve::runtime(&config.settings)?.block_on(served)?;
    telemetry.flush();
    Ok(code)
}

async fn serve(config: &Config, books: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::install()?;
    let books = match &books {
        None => Books::in_memory(),
        Some(path) => Books::open(path).map_err(|error| {
            let what = format!("Cannot use the books {}.", path.display());
            Exit::new(Code::Configuration, &what, error, "choose another file.")
        })?,
    };
    let clock = Arc::new(SystemClock);
    let behaviour = behaviour(&config.settings);
    let service = Arc::new(Simulated::new(behaviour, Some(Arc::new(books)), clock));
    let listener = port::bind(config.settings.server.listen)?;
    let url = url_of(listener.local_addr()?);
    port::allow_connections();
    info!(
        payments = format!("{url}/payments"),
        inventory = format!("{url}/inventory"),
        "Serving at {}: PAYMENT_API_URL={url}/payments INVENTORY_API_URL={url}/inventory orderd serve",
        listener.local_addr()?
    );
    let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
    let limits = Limits::of(&config.settings.server);
    let accept = listener::accept(
        listener,
        router(service),
        limits,
        stop.clone(),
        connections.clone(),
    );
    connections.spawn(accept);
    signals.next().await;
    // Nobody waits for calls that hang on purpose.
    stop.cancel();
    Ok(ExitCode::SUCCESS)
}

fn router(service: Arc<Simulated>) -> Router {
    Router::new()
        .route("/payments/capture/{effect_id}", get(look))
        .route("/payments/{call}", post(payment))
        .route("/inventory/{call}", post(inventory))
        .with_state(service)
}

async fn payment(
    State(service): State<Arc<Simulated>>,
    Path(word): Path<String>,
    body: String,
) -> Response {
    let kinds = [
        CallKind::Authorise,
        CallKind::Capture,
        CallKind::Void,
        CallKind::Refund,
    ];
    called(&service, &kinds, &word, &body).await
}

async fn inventory(
    State(service): State<Arc<Simulated>>,
    Path(word): Path<String>,
    body: String,
) -> Response {
    let kinds = [CallKind::Reserve, CallKind::Commit, CallKind::Release];
    called(&service, &kinds, &word, &body).await
}

async fn called(service: &Simulated, kinds: &[CallKind], word: &str, body: &str) -> Response {
    let Some(kind) = kinds.iter().find(|kind| kind.as_str() == word) else {
        return refused(
            StatusCode::NOT_FOUND,
            "no_such_call",
            "there is no such call",
        );
    };
    let Some(call) = read(*kind, body) else {
        let detail = "the body needs an effect_id, and for a payment, amount_minor and currency";
        return refused(StatusCode::BAD_REQUEST, "invalid_body", detail);
    };
    answered(&call, service.call(&call).await)
}

async fn look(State(service): State<Arc<Simulated>>, Path(effect_id): Path<String>) -> Response {
    let Some((order_id, round)) = effect(&effect_id, CallKind::Capture) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_id",
            "that is no effect id",
        );
    };
    let call = Call {
        kind: CallKind::Look,
        order_id,
        round,
        refund_id: None,
        amount: Money::ZERO,
        currency: Currency::USD,
        lines: Vec::new(),
        trace: None,
    };
    answered(&call, service.call(&call).await)
}

/// The call that a body describes.
fn read(kind: CallKind, body: &str) -> Option<Call> {
    let json: Value = serde_json::from_str(body).ok()?;
    let effect_id = json.get("effect_id")?.as_str()?;
    let refund_id = match kind {
        CallKind::Refund => Some(EventId::parse(effect_id.rsplit_once(':')?.1)?),
        _ => None,
    };
    // A refund is of a round by what it refunds.
    let (order_id, round) = match refund_id {
        Some(_) => effect(json.get("of")?.as_str()?, CallKind::Capture)?,
        None => effect(effect_id, kind)?,
    };
    let (amount, currency) = if kind.is_payment() {
        let amount = Money::from_minor(json.get("amount_minor")?.as_i64()?);
        (amount, Currency::parse(json.get("currency")?.as_str()?)?)
    } else {
        (Money::ZERO, Currency::USD)
    };
    Some(Call {
        kind,
        order_id,
        round,
        refund_id,
        amount,
        currency,
        lines: Vec::new(),
        trace: None,
    })
}

/// The order and the round of an effect id of this kind.
fn effect(text: &str, kind: CallKind) -> Option<(OrderId, u32)> {
    let (order_id, rest) = text.split_once(':')?;
    let (word, round) = rest.split_once(':')?;
    (word == kind.as_str()).then_some(())?;
    Some((OrderId::parse(order_id)?, round.parse().ok()?))
}

fn answered(call: &Call, answer: Answer) -> Response {
    match answer {
        Answer::Done => {
            let body = json!({ "effect_id": call.effect_id(), "status": "done" });
            json_of(StatusCode::OK, &body)
        }
        Answer::NotCaptured => {
            refused(StatusCode::NOT_FOUND, "not_captured", "it was not captured")
        }
        Answer::Captured => refused(StatusCode::CONFLICT, "captured", "it was captured before"),
        Answer::Refused(Refused::Declined, why) => {
            refused(StatusCode::PAYMENT_REQUIRED, "declined", &why)
        }
        Answer::Refused(Refused::OutOfStock, why) => {
            refused(StatusCode::CONFLICT, "out_of_stock", &why)
        }
        Answer::Failed(why, _) if &*why == LOST => {
            // The head goes out and the body breaks off: whoever asked cannot know.
            let lost: io::Result<Bytes> = Err(io::Error::other(LOST));
            Response::new(Body::from_stream(futures_util::stream::iter([lost])))
        }
        Answer::Failed(why, after_ms) => {
            let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &why);
            if let Some(after_ms) = after_ms {
                let after = HeaderValue::from(after_ms.unsigned_abs().div_ceil(1_000));
                response.headers_mut().insert(RETRY_AFTER, after);
            }
            response
        }
        Answer::NotTried(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not now"),
    }
}

fn refused(status: StatusCode, code: &str, detail: &str) -> Response {
    json_of(status, &json!({ "code": code, "detail": detail }))
}

fn json_of(status: StatusCode, body: &Value) -> Response {
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}
