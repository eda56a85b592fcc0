//! The viewer of the documentation: Scalar, as it is vendored in `crates/api/assets`, and what
//! starts it. None of it asks any other host for anything.

use super::Asset;
use crate::pages::HTML;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::LazyLock;

/// The viewer makes styles as it goes, and its icons are `data:`; scripts are files of ours.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static ASSETS: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    let scalar = include_bytes!("../../assets/scalar/standalone.js.gz");
    let start = include_bytes!("../../assets/scalar/start.js");
    [asset("scalar", scalar, true), asset("start", start, false)]
});

/// What the page loads.
pub(super) fn all() -> &'static [Asset] {
    &*ASSETS
}

fn asset(name: &str, bytes: &'static [u8], is_gzipped: bool) -> Asset {
    let digest = Sha256::digest(bytes);
    let (first, _) = digest.split_first_chunk().expect("it has 32 bytes");
    let digest = format!("{:016x}", u64::from_be_bytes(*first));
    let etag = HeaderValue::from_str(&format!("\"{digest}\"")).expect("digits are ASCII");
    Asset {
        name: format!("{name}-{digest}.js"),
        etag,
        bytes,
        is_gzipped,
    }
}

/// The viewer for whoever takes nothing compressed: unpacked once, and kept.
pub(super) fn unpacked() -> &'static [u8] {
    static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut plain = Vec::new();
        GzDecoder::new(ASSETS[0].bytes)
            .read_to_end(&mut plain)
            .expect("a test has unpacked it");
        plain
    });
    &PLAIN
}

/// The page; for who runs no scripts, the list of operations.
pub(super) fn viewer(operations: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "API · orderd" }
                link rel="icon" href="data:,";
            }
            body {
                div id="reference" {}
                noscript { (operations) }
                @for asset in all() {
                    script src=(format!("docs/{}", asset.name)) {}
                }
            }
        }
    };
    let headers = [(CONTENT_TYPE, HTML), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, page.into_string()).into_response()
}
