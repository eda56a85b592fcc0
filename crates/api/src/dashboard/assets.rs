//! The style sheet and the script, under names that change with what they hold, so that a browser
//! keeps them for good.

use crate::extract::TextPath;
use crate::pages::FOR_EVER;
use crate::problem::{Code, Problem};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::LazyLock;

/// A file that pages link to.
pub(super) struct Asset {
    /// Its name, with a digest of what it holds.
    pub(super) name: String,
    media_type: HeaderValue,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, text: &'static str) -> Self {
        let mut digest = String::new();
        for byte in &Sha256::digest(text)[..6] {
            write!(digest, "{byte:02x}").expect("a String takes all that is written to it");
        }
        Self {
            name: format!("{stem}-{digest}.{extension}"),
            media_type: HeaderValue::from_static(media_type),
            text,
        }
    }
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("assets/dashboard.css");
    Asset::new("dashboard", "css", "text/css; charset=utf-8", text)
});

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("assets/dashboard.js");
    Asset::new("dashboard", "js", "text/javascript; charset=utf-8", text)
});

pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", text)
});

/// A file that pages link to.
pub(super) async fn show(TextPath(name): TextPath) -> Result<Response, Problem> {
    let asset = [&STYLE, &SCRIPT, &ICON]
        .into_iter()
        .find(|asset| asset.name == name)
        .ok_or_else(|| Problem::new(Code::NotFound, "The dashboard has no such file."))?;
    let headers = [
        (CONTENT_TYPE, asset.media_type.clone()),
        (CACHE_CONTROL, FOR_EVER),
    ];
    Ok((headers, asset.text).into_response())
}
