//! `If-Match` and `If-None-Match` of a request that changes something (RFC 9110, 13.1).

use crate::problem::{Code, Problem};
use axum::http::header::{AsHeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};

/// What has to be there, or must not be, for a change to be made.
pub(crate) struct Preconditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Preconditions {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: list(headers, IF_MATCH),
            if_none_match: list(headers, IF_NONE_MATCH),
        }
    }

    /// The same, with each tag as `read` reads it.
    pub(crate) fn reading(self, read: impl Fn(&str) -> String) -> Self {
        let each = |list: Option<String>| {
            let tags = list?
                .split(',')
                .map(|tag| read(tag.trim()))
                .collect::<Vec<_>>();
            Some(tags.join(","))
        };
        Self {
            if_match: each(self.if_match),
            if_none_match: each(self.if_none_match),
        }
    }

    /// None at all.
    pub(crate) const fn none() -> Self {
        Self {
            if_match: None,
            if_none_match: None,
        }
    }

    /// Whether the request says which version it is about.
    pub(crate) const fn any(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }

    /// Whether the change may be made to what has this `ETag`; `None` where nothing is there.
    pub(crate) fn check(&self, etag: Option<&str>) -> Result<(), Problem> {
        // A weak tag never matches here: the versions are to be the same.
        let names = |list: &str, etag: &str| {
            let mut tags = list.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || tag == etag)
        };
        let matches = match (&self.if_match, etag) {
            (None, _) => true,
            (Some(list), Some(etag)) => names(list, etag),
            (Some(_), None) => false,
        };
        let differs = match (&self.if_none_match, etag) {
            (Some(list), Some(etag)) => !names(list, etag),
            _ => true,
        };
        if matches && differs {
            return Ok(());
        }
        Err(Problem::new(
            Code::PreconditionFailed,
            match etag {
                Some(etag) => format!("Its ETag is {etag} now; read it again."),
                None => "It is not there.".to_owned(),
            },
        ))
    }
}

/// All values of a header in one list.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value: &HeaderValue| value.to_str().unwrap_or_default())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}
