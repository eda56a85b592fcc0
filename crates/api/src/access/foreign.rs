//! Pages of others: a browser that can reach us asks for whatever page it shows, and a request without
//! a token does not say for whose. Two things keep those pages from doing what strangers may.

use crate::extract;
use crate::problem::{Code, Problem};
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderName, HeaderValue, Method};
use std::net::IpAddr;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The most characters of a name that are said again.
const NAME_SAID_MAX: usize = 64;

/// The names under which those may ask who come without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Any.
    Any,
    /// `localhost`, loopback addresses, and these.
    Named(Vec<String>),
}

/// Refuses a request without a token that a page of others may have made.
pub(super) fn refuse(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    // Who names no host is no browser.
    if let (Hosts::Named(names), Some(host)) = (hosts, request.headers().get(HOST)) {
        refuse_name(names, host)?;
    }
    if is_sent_unasked(request) {
        return Err(Problem::new(
            Code::Forbidden,
            "A page of another site sent this, and nothing says that it may: show a token, or send \
             Content-Type: application/json.",
        ));
    }
    Ok(())
}

/// A page can have its own name lead to our address, once it is loaded (DNS rebinding): to its browser,
/// we are then where it came from. But the browser still says that name.
fn refuse_name(names: &[String], host: &HeaderValue) -> Result<(), Problem> {
    let text = host.to_str().unwrap_or_default();
    let name = name(text);
    if is_loopback(name) || names.iter().any(|it| it.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let said: String = text.chars().take(NAME_SAID_MAX).collect();
    Err(Problem::new(
        Code::Misdirected,
        format!(
            "Without a token this server answers as localhost, as a loopback address and under the \
             names in server.hosts; it was asked as {said:?}."
        ),
    ))
}

/// The name in `name:port`; an address of IPv6 is in brackets.
fn name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(name: &str) -> bool {
    let is_address = || name.parse::<IpAddr>();
    name == "127.0.0.1"
        || name.eq_ignore_ascii_case("localhost")
        || is_address().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a browser sends this for any page, without asking us first: a POST that says of its body
/// what a form could say. Everything else that changes something is asked for, and never allowed here.
fn is_sent_unasked(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::POST
        && headers
            .get(SEC_FETCH_SITE)
            .is_some_and(|it| it == "cross-site")
        && extract::require_json(headers).is_err()
}

#[cfg(test)]
mod tests;
