//! Proxies in front, and whom they speak for.

use axum::http::{HeaderMap, HeaderName};
use domain::Prefix;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The proxies that are believed.
#[derive(Clone, Debug)]
pub struct Proxies {
    /// Where they are.
    pub networks: Vec<IpNet>,
    /// The field in which they say whose request it is, as `X-Forwarded-For`.
    pub header: HeaderName,
}

impl Proxies {
    /// Whose request it is that `peer` sent: each proxy adds at the end of the list whom it had the
    /// request from, so the list is read from there, as far as those who wrote it are believed. What
    /// stands before that is anybody's word.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trust(client) {
            return client;
        }
        let lists = headers.get_all(&self.header).iter().rev();
        for named in lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(',')) {
            let Some(address) = address(named.trim()) else {
                break;
            };
            client = address;
            if !self.trust(client) {
                break;
            }
        }
        client
    }

    /// What stands before the paths of a request, as its client knows them, where a proxy that is
    /// believed says so.
    pub(crate) fn prefix(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Prefix> {
        if !self.trust(peer.to_canonical()) {
            return None;
        }
        let said = headers.get(&X_FORWARDED_PREFIX)?.to_str().ok()?;
        Prefix::parse(said)
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let address = text.parse().or_else(|_| with_port()).ok();
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
