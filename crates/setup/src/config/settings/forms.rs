//! How values are written: what is read into which type, and what is refused.

use domain::{Currency, Prefix};
use http::HeaderName;
use ipnet::IpNet;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Ten years: nothing in here is meant to last longer.
const DURATION_MAX: Duration = Duration::from_hours(3650 * 24);

/// Reads `250ms`, `5s`, `10m`, `12h` or `30d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit_ms)?);
    (duration > Duration::ZERO && duration <= DURATION_MAX).then_some(duration)
}

/// Reads an address with its port; `localhost` is the loopback address.
pub(in crate::config) fn parse_address(text: &str) -> Option<SocketAddr> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => &format!("127.0.0.1:{port}"),
        None => text,
    };
    text.parse().ok()
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parsed(
        deserializer,
        parse_duration,
        "a duration such as 250ms, 5s, 10m, 12h or 30d",
    )
}

pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parsed(
        deserializer,
        parse_address,
        "an address and a port such as 127.0.0.1:8080",
    )
}

/// A duration that may be none at all.
pub(super) fn pause<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let parse = |text: &str| match text {
        "0s" => Some(Duration::ZERO),
        text => parse_duration(text),
    };
    parsed(deserializer, parse, "0s, or a duration such as 250ms or 5s")
}

/// Networks, or addresses by themselves, with commas between them.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: &str| {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| alone()).ok()
    };
    let parse = |text: &str| {
        let named = text.split(',').map(str::trim);
        named.filter(|it| !it.is_empty()).map(network).collect()
    };
    parsed(
        deserializer,
        parse,
        "networks such as 127.0.0.1, 10.0.0.0/8",
    )
}

/// The name of a field of a request's head.
pub(super) fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let parse = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok();
    parsed(
        deserializer,
        parse,
        "the name of a header such as X-Forwarded-For",
    )
}

pub(super) fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
    parsed(
        deserializer,
        Prefix::parse,
        "nothing, or a path such as /shop",
    )
}

/// Names of hosts, without ports, with commas between them.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let is_name = |text: &&str| {
        let mut bytes = text.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let parse = |text: &str| {
        let named = text.split(',').map(str::trim);
        let named: Vec<&str> = named.filter(|it| !it.is_empty()).collect();
        let are_names = named.iter().all(is_name);
        are_names.then(|| named.into_iter().map(str::to_owned).collect())
    };
    parsed(
        deserializer,
        parse,
        "names of hosts such as orders.example.org, without ports",
    )
}

pub(super) fn currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    parsed(
        deserializer,
        Currency::parse,
        "three capital letters such as USD",
    )
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`, or nothing.
pub(super) fn topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let parse = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        let is_topic = matches!(parts[..], ["arn", _, "sns", _, _, name] if !name.is_empty());
        (text.is_empty() || is_topic).then(|| text.to_owned())
    };
    let like = "the ARN of a topic such as arn:aws:sns:eu-west-1:123456789012:order-events";
    parsed(deserializer, parse, like)
}

pub(super) fn queue<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let parse = |text: &str| {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        (text.is_empty() || is_url).then(|| text.to_owned())
    };
    let like = "the URL of a queue such as https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
    parsed(deserializer, parse, like)
}

/// Where a trace is looked at, or nothing.
pub(super) fn trace_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let parse = |text: &str| {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let names_trace = is_url && text.contains("{trace_id}");
        (text.is_empty() || names_trace).then(|| text.to_owned())
    };
    let like = "a URL with {trace_id} in it such as https://tempo.example.com/trace/{trace_id}";
    parsed(deserializer, parse, like)
}

pub(super) fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let parse = |text: &str| {
        // A lone word would be taken for the name of a module: `inof` for everything in `inof`.
        let is_level = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
        let valid = text.split(',').all(is_level) && text.parse::<Targets>().is_ok();
        valid.then(|| text.to_owned())
    };
    parsed(
        deserializer,
        parse,
        "error, warn, info, debug, trace, or a list such as info,hyper=warn",
    )
}

pub(super) fn mismatch_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        status @ (409 | 422) => Ok(status),
        other => Err(D::Error::invalid_value(
            Unexpected::Unsigned(other.into()),
            &"409 or 422",
        )),
    }
}

/// A share from 0 to 1, in parts of a million.
pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&share) {
        return Err(D::Error::invalid_value(
            Unexpected::Float(share),
            &"a share from 0.0 to 1.0",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to a million"
    )]
    let parts = (share * 1e6).round() as u32;
    Ok(parts)
}

pub(super) fn within<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    u64::try_from(number)
        .ok()
        .filter(|number| (MIN..=MAX).contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            let expected = format!("a number from {MIN} to {MAX}");
            D::Error::invalid_value(Unexpected::Signed(number), &expected.as_str())
        })
}

fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Option<T>,
    expected: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &expected))
}
