//! `orderd order watch` and `order timeline`: what happened to an order, as it happens.

use super::text;
use crate::Globals;
use crate::client::{self, Server, encoded};
use serde_json::Value;
use std::io::IsTerminal;

/// How long the server is asked to wait for an order that is under way to move.
const WAIT: &str = "wait=10";

/// Whether to wait for what is to come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// What there is.
    Now,
    /// Until the order has ended, or a person has to look.
    Ended,
}

/// Prints each event of an order, a line each.
pub(super) async fn timeline(
    server: &Server,
    id: &str,
    until: Until,
    globals: &Globals,
) -> anyhow::Result<()> {
    let path = format!("/v1/orders/{}/timeline", encoded(id));
    let order = format!("/v1/orders/{}", encoded(id));
    let mut etag: Option<String> = None;
    let mut shown = 0;
    loop {
        let timeline = client::send(server, "GET", &path, &[], b"").await?.json()?;
        let items = timeline["items"].as_array().map_or(&[][..], Vec::as_slice);
        for item in items.iter().skip(shown) {
            if globals.json {
                println!("{item}");
            } else {
                println!("{}", line(item));
            }
        }
        shown = items.len();
        let status = timeline["status"].as_str().unwrap_or_default();
        let under_way = matches!(status, "created" | "processing" | "compensating");
        if until == Until::Now || !under_way {
            if until == Until::Ended && !globals.json {
                eprintln!("The order is {status}.");
            }
            return Ok(());
        }
        let mut headers = vec![("prefer", WAIT)];
        headers.extend(etag.as_deref().map(|etag| ("if-none-match", etag)));
        let order = client::send(server, "GET", &order, &headers, b"").await?;
        etag = order.header("etag").map(ToOwned::to_owned);
    }
}

/// An event for people: when, what, and what there is to say of it.
fn line(item: &Value) -> String {
    let cell = |name| text(item, name).unwrap_or_default();
    let kind = cell("kind");
    let kind = kind.strip_suffix(".v1").unwrap_or(&kind);
    let detail = item["detail"].as_object().map(|detail| {
        let parts = detail.iter().filter(|(_, value)| !value.is_null());
        let parts = parts.map(|(name, value)| match value.as_str() {
            Some(value) => format!("{name}: {value}"),
            None => format!("{name}: {value}"),
        });
        parts.collect::<Vec<_>>().join(", ")
    });
    let kind = if std::io::stdout().is_terminal() {
        format!("{kind:<24}")
    } else {
        kind.to_owned()
    };
    format!(
        "{}\t{kind}\t{}",
        cell("occurred_at"),
        detail.unwrap_or_default()
    )
    .trim_end()
    .to_owned()
}
