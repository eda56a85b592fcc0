//! Every route of orderd.

use crate::contracts::{basket, catalogue};
use crate::layers::OutermostLayer;
use crate::openapi::{DOCUMENT, Document};
use crate::problem::{Code, Problem, pages};
use crate::v1::{
    batch, cache, dead_letters, events, fulfilment, idempotency_keys, orders, products, refunds,
    stock, tokens, webhooks,
};
use crate::{App, admin, asyncapi, contracts, dashboard, docs, operations};
use axum::Router;
use axum::routing::{get, patch, post};
use std::sync::{Arc, LazyLock};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The HTTP face of orderd: every route, with the layer that is around all of them.
pub fn router(app: Arc<App>) -> Router {
    all_routes()
        .with_state(Arc::clone(&app))
        .layer(OutermostLayer(app))
}

fn all_routes() -> Router<Arc<App>> {
    let (documented, _) = routes().split_for_parts();
    let router = documented
        // The same routes under their other names: not in the document, which has one a thing.
        .route("/orders/", post(contracts::place).get(basket::list))
        .route(
            "/orders/{order_id}/",
            get(contracts::show).delete(basket::delete),
        )
        .route("/orders/{order_id}/status/", patch(basket::label))
        .route("/products/", post(catalogue::create).get(catalogue::list))
        .route("/products/{product_id}/", get(catalogue::show))
        .route(
            "/products/{product_id}/{*rest}",
            get(catalogue::show_nested),
        )
        .merge(dashboard::routes())
        .route("/health", get(operations::readyz))
        .route("/healthz", get(operations::readyz))
        // As Prometheus has it: alive, whatever is behind it.
        .route("/-/healthy", get(operations::livez))
        .fallback(async || no_such_path())
        .method_not_allowed_fallback(async || no_such_method());

    #[cfg(feature = "bench")]
    let router = crate::bench::add_to(router);

    router
}

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(fulfilment::timeline))
        .routes(routes!(fulfilment::cancel))
        .routes(routes!(fulfilment::note))
        .routes(routes!(fulfilment::rule))
        .routes(routes!(refunds::request, refunds::list))
        .routes(routes!(refunds::show))
        .routes(routes!(events::stream))
        .routes(routes!(stock::show, stock::set, stock::adjust))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::redrive_all))
        .routes(routes!(dead_letters::show))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(batch::place))
        .routes(routes!(idempotency_keys::show))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::show, webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::resend))
        .routes(routes!(webhooks::recover))
        .routes(routes!(cache::show, cache::flush))
        .routes(routes!(products::create, products::list))
        .routes(routes!(products::show, products::replace, products::delete))
        .routes(routes!(catalogue::create, catalogue::list))
        .routes(routes!(catalogue::show))
        .routes(routes!(contracts::place, basket::list))
        .routes(routes!(contracts::show, basket::delete))
        .routes(routes!(basket::label))
        .routes(routes!(operations::index))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi_json))
        .routes(routes!(operations::openapi_yaml))
        .routes(routes!(asyncapi::show))
        .routes(routes!(docs::show))
        .routes(routes!(docs::asset))
        .routes(routes!(pages::list))
        .routes(routes!(pages::show))
        .routes(routes!(admin::reset))
        .routes(routes!(admin::seed))
}

fn no_such_path() -> Problem {
    Problem::new(
        Code::NotFound,
        "Nothing has this path; /openapi.json lists the paths.",
    )
}

fn no_such_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "This path does not take this method; the header Allow lists those that it takes.",
    )
}

/// What the handlers say of themselves.
pub(crate) fn described() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

/// The templates of all routes, so that a label of a metric is never made up by a client.
static TEMPLATES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let others = [
        "/-/healthy",
        "/health",
        "/healthz",
        "/bench/orders",
        "/bench/orders/{order_id}",
    ];
    let documented = DOCUMENT["paths"].as_object();
    let documented = documented.into_iter().flatten().map(|(path, _)| &**path);
    documented
        .chain(others)
        .chain(dashboard::TEMPLATES)
        .collect()
});

/// The one spelling of a route's template; `other` for what is none.
pub(crate) fn template(path: &str) -> &'static str {
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    };
    TEMPLATES
        .iter()
        .find(|template| **template == path)
        .copied()
        .unwrap_or("other")
}

#[cfg(test)]
mod tests;
