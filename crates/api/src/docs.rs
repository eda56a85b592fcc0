//! `/docs`: the description of every route for people. With the feature `docs-ui` in a viewer that
//! the binary brings with it; without it, and without scripts, as a list.

#[cfg(feature = "docs-ui")]
mod assets;

use crate::cached::is_known;
use crate::extract::TextPath;
use crate::openapi::DOCUMENT;
use crate::pages::FOR_EVER;
use crate::problem::{Code, Problem};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

/// The documentation of this API, for people
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "show_docs",
    tag = "operations",
    responses((status = 200, description = "A page", body = String, content_type = "text/html", headers(
        ("Content-Security-Policy" = String, description = "Nothing comes from elsewhere"),
    ))),
)]
pub(crate) async fn show() -> Response {
    viewer(&operations())
}

#[cfg(feature = "docs-ui")]
use assets::{all, unpacked, viewer};

#[cfg(not(feature = "docs-ui"))]
use self::{plain as viewer, without::all, without::unpacked};

/// What there is to load without a viewer.
#[cfg(not(feature = "docs-ui"))]
mod without {
    use super::Asset;

    pub(super) fn all() -> &'static [Asset] {
        &[]
    }

    pub(super) const fn unpacked() -> &'static [u8] {
        &[]
    }
}

/// The page without a viewer.
#[cfg(any(test, not(feature = "docs-ui")))]
fn plain(operations: &Markup) -> Response {
    crate::pages::page("API", operations)
}

/// A file that the page of the documentation loads.
struct Asset {
    /// With the digest of what is in it.
    name: String,
    etag: HeaderValue,
    bytes: &'static [u8],
    is_gzipped: bool,
}

/// What the page of the documentation loads
#[utoipa::path(
    get,
    path = "/docs/{asset}",
    operation_id = "show_docs_asset",
    tag = "operations",
    params(
        ("asset" = String, Path, description = "As the page names it"),
        ("Accept-Encoding" = Option<String>, Header, description = "With `gzip` it comes compressed"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version at hand"),
    ),
    responses(
        (status = 200, description = "The asset", body = String, content_type = "text/javascript", headers(
            ("ETag" = String, description = "Its version"),
            ("Vary" = String, description = "`Accept-Encoding`"),
            ("Content-Encoding" = String, description = "`gzip`"),
        )),
        (status = 304, description = "The version at hand is the latest", headers(
            ("ETag" = String, description = "Its version"),
            ("Vary" = String, description = "`Accept-Encoding`"),
        )),
    )
)]
pub(crate) async fn asset(
    TextPath(name): TextPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asset = all().iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "There is no such asset; /docs names those that there are.",
        )
    })?;
    Ok(served(asset, &headers))
}

fn served(asset: &Asset, headers: &HeaderMap) -> Response {
    let same = [
        (CACHE_CONTROL, FOR_EVER),
        (ETAG, asset.etag.clone()),
        (VARY, HeaderValue::from_static("Accept-Encoding")),
    ];
    if is_known(headers, asset.etag.to_str().unwrap_or_default()) {
        return (StatusCode::NOT_MODIFIED, same).into_response();
    }
    let script = HeaderValue::from_static("text/javascript; charset=utf-8");
    let mut response = match (asset.is_gzipped, takes_gzip(headers)) {
        (true, true) => {
            let gzip = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
            (gzip, asset.bytes).into_response()
        }
        (true, false) => unpacked().into_response(),
        (false, _) => asset.bytes.into_response(),
    };
    response.headers_mut().insert(CONTENT_TYPE, script);
    (same, response).into_response()
}

/// Whether a client takes what is compressed by gzip (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut codings = lists.flat_map(|list| list.split(',')).map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().trim_start_matches("q=");
        let refused = weight.chars().all(|digit| matches!(digit, '0' | '.'));
        (name.trim().to_ascii_lowercase(), !refused)
    });
    codings.any(|(name, taken)| taken && matches!(&*name, "gzip" | "x-gzip" | "*"))
}

/// Every operation, by what it is about.
fn operations() -> Markup {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = DOCUMENT["tags"].as_array().into_iter().flatten();
    html! {
        nav { a href="openapi.json" { "OpenAPI" } " · " a href="asyncapi.json" { "AsyncAPI" } " · " a href="problems" { "Problems" } }
        h1 { "API" }
        @for tag in tags {
            h2 { (text(&tag["name"])) }
            p class="quiet" { (text(&tag["description"])) }
            dl {
                @for (method, path, operation) in of_tag(&tag["name"]) {
                    dt { code { (method.to_uppercase()) " " (path) } }
                    dd { (text(&operation["summary"])) }
                }
            }
        }
    }
}

fn of_tag(tag: &Value) -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    all.filter(move |(_, _, operation)| operation["tags"][0] == *tag)
}

#[cfg(test)]
mod tests;
