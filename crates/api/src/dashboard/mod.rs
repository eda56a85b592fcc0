//! The dashboard at `/ui/`: what the service does, for people.
//!
//! A page is rendered whole on the server, so that it works without a script. A script, where there
//! is one, asks for the page again when the server says that something changed (`live.rs`), and
//! puts the parts that differ in place: so every line is rendered in one place. Forms call the
//! handlers of `/v1` (`actions.rs`); nothing can be done here that a client cannot do.

mod actions;
mod assets;
mod chart;
mod dead_letters;
mod history;
mod idempotency;
mod inside;
mod ledger;
mod live;
mod order;
mod orders;
mod overview;
mod parts;
mod products;
mod providers;
mod refused;
mod session;
mod shell;
mod system;

pub(crate) use history::History;
pub use inside::{Finding, Inside, ProviderState, SettingShown};
pub(crate) use refused::page as refused;
pub(crate) use session::lend_token;

use crate::App;
use crate::problem::{Code, Problem};
use axum::Router;
use axum::extract::Request;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// The templates of all routes here, as labels of metrics.
pub(crate) const TEMPLATES: [&str; 23] = [
    "/ui",
    "/ui/assets/{name}",
    "/ui/cache/flush",
    "/ui/dead-letters",
    "/ui/dead-letters/discard",
    "/ui/dead-letters/redrive",
    "/ui/dead-letters/redrive-all",
    "/ui/idempotency",
    "/ui/ledger",
    "/ui/live",
    "/ui/login",
    "/ui/logout",
    "/ui/orders",
    "/ui/orders/{order_id}",
    "/ui/orders/{order_id}/cancel",
    "/ui/orders/{order_id}/note",
    "/ui/orders/{order_id}/refund",
    "/ui/orders/{order_id}/ruling",
    "/ui/products",
    "/ui/providers",
    "/ui/stock",
    "/ui/system",
    "/ui/theme",
];

/// The routes of the dashboard.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/ui", get(async || to_the_slash()))
        .route("/ui/", get(overview::show))
        .route("/ui/orders", get(orders::show))
        .route("/ui/orders/{order_id}", get(order::show))
        .route("/ui/orders/{order_id}/cancel", post(actions::cancel))
        .route("/ui/orders/{order_id}/note", post(actions::note))
        .route("/ui/orders/{order_id}/refund", post(actions::refund))
        .route("/ui/orders/{order_id}/ruling", post(actions::rule))
        .route("/ui/products", get(products::show))
        .route("/ui/stock", post(actions::adjust_stock))
        .route("/ui/ledger", get(ledger::show))
        .route("/ui/dead-letters", get(dead_letters::show))
        .route("/ui/dead-letters/redrive", post(actions::redrive))
        .route("/ui/dead-letters/redrive-all", post(actions::redrive_all))
        .route("/ui/dead-letters/discard", post(actions::discard))
        .route("/ui/providers", get(providers::show))
        .route("/ui/idempotency", get(idempotency::show))
        .route("/ui/system", get(system::show))
        .route("/ui/cache/flush", post(actions::flush))
        .route("/ui/live", get(live::stream))
        .route("/ui/login", get(session::show).post(session::sign_in))
        .route("/ui/logout", post(session::sign_out))
        .route("/ui/theme", post(session::choose_theme))
        .route("/ui/assets/{name}", get(assets::show))
        .route("/ui/{*rest}", get(async || no_such_page()))
}

/// Whether anybody may ask for this: what a page of signing in needs, and the forms that ask for
/// nothing of the store.
pub(crate) fn is_open(route: &str) -> bool {
    matches!(
        route,
        "/ui/login" | "/ui/logout" | "/ui/theme" | "/ui/assets/{name}"
    )
}

/// What is kept of a request for the dashboard until it is answered: a problem is shown as a page.
pub(crate) fn looking(request: &Request) -> Option<Box<Parts>> {
    let path = request.uri().path();
    (path == "/ui" || path.starts_with("/ui/")).then(|| {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        parts.method = request.method().clone();
        parts.uri = request.uri().clone();
        parts.headers = request.headers().clone();
        Box::new(parts)
    })
}

/// Links are relative to the directory, so a path without its slash would lead nowhere.
fn to_the_slash() -> Response {
    let to = [(LOCATION, HeaderValue::from_static("ui/"))];
    (StatusCode::SEE_OTHER, to).into_response()
}

fn no_such_page() -> Problem {
    Problem::new(Code::NotFound, "The dashboard has no such page.")
}
