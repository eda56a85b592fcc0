//! Where a webhook may go: to the public internet, over TLS. Whoever may add an endpoint must not
//! be able to reach what only this server can reach (OWASP API7:2023, server side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The ports that a public endpoint may have.
const PORTS: [u16; 2] = [443, 8443];
/// The most characters of a URL.
const URL_MAX: usize = 2_000;

/// Where webhooks may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the public internet.
    Public,
    /// Anywhere, and without TLS: for tests, and for whoever knows his network.
    Any,
}

/// Reads the URL of an endpoint.
///
/// # Errors
/// What it must be, for people.
pub fn parse(text: &str, reach: Reach) -> Result<Url, &'static str> {
    let url = Url::parse(text)
        .ok()
        .filter(|_| text.len() <= URL_MAX)
        .ok_or("must be a URL of at most 2,000 characters, such as https://example.org/hook")?;
    let host = url.host().ok_or("must name a host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user or a password");
    }
    if reach == Reach::Any {
        return match url.scheme() {
            "https" | "http" => Ok(url),
            _ => Err("must begin with https:// or http://"),
        };
    }
    if url.scheme() != "https" {
        return Err("must begin with https://");
    }
    if !PORTS.contains(&url.port_or_known_default().unwrap_or_default()) {
        return Err("must have the port 443 or 8443");
    }
    let public = match host {
        Host::Ipv4(ip) => is_public(ip.into()),
        Host::Ipv6(ip) => is_public(ip.into()),
        // What a name stands for is seen when it is connected to.
        Host::Domain(name) => is_public_name(name),
    };
    if public {
        Ok(url)
    } else {
        Err("must be on the public internet")
    }
}

/// Names that never stand for a public address (RFC 6761, RFC 6762, RFC 8375).
fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or(name);
    let local = ["localhost", "local", "internal", "intranet", "lan", "home"];
    name.contains('.') && !local.contains(&last) && !name.ends_with(".home.arpa")
}

/// Whether an address is one that everybody reaches: none of a private network, of this machine,
/// of its link, shared, reserved, for documentation, or one that stands for such a one (the IANA
/// registries of special-purpose addresses, RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = matches!(
        ip.octets(),
        [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    );
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // An address of version 4 behind a translator: what counts is that one.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Tunnels, benchmarks, documentation, and what else is special in the global range.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // The rest of the global range; loopback, mapped, link-local, site-local, unique local and
        // multicast are outside of it.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests;
