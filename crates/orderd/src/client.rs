//! Speaks HTTP/1.1 to an orderd server, for the sub-commands that ask a running one.
//!
//! One request a connection: commands ask seldom. The connections of `bench`, which must be cheap,
//! are its own.

use crate::Globals;
use axum::http::response::Parts;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use setup::config;
pub(crate) use setup::config::encoded;
use setup::exit::{Code, Exit, sentence};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body that is read: a batch of 500 orders of 40 lines fits.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// How a sub-command is told which server to ask.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// The server to ask [default: the address in server.listen]
    #[arg(long, global = true, env = "ORDERD_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The file with the access token to show, instead of that in the environment (`ORDERD_TOKEN`)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A server to ask.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) url: String,
    /// What to show it; it may want none.
    pub(crate) token: Option<String>,
}

impl Server {
    /// The server at `url`, asked without a token.
    pub(crate) const fn open(url: String) -> Self {
        Self { url, token: None }
    }
}

impl ServerArgs {
    /// The server that was named, or the one that listens as configured.
    ///
    /// # Errors
    /// Where none was named and the configuration cannot be read, or a token file cannot.
    pub(crate) fn server(&self, globals: &Globals) -> anyhow::Result<Server> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => url_of(config::load(globals, Vec::new())?.settings.server.listen),
        };
        let token = self.token(globals)?;
        Ok(Server { url, token })
    }

    /// The token to show: that of the file, else `ORDERD_TOKEN`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(crate) fn token(&self, globals: &Globals) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.token_file else {
            return config::token(globals);
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("Cannot read the token file {}.", path.display());
            let fix = "name a file that this user may read, with the token in it.";
            Exit::new(Code::Configuration, &what, error, fix)
        })?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// The URL under which a server on this machine that listens at `listen` is reached.
pub(crate) fn url_of(listen: SocketAddr) -> String {
    let host = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(host, listen.port()))
}

/// A server's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// `host:port`
    pub(crate) address: String,
    /// What stands before every path; empty, or `/…` without a slash at its end.
    pub(crate) prefix: String,
}

impl Base {
    /// Reads `http://host[:port][/prefix]`.
    ///
    /// # Errors
    /// Any other URL, with what to write instead.
    pub(crate) fn parse(url: &str) -> Result<Self, Exit> {
        let refuse = |why: &str| {
            let what = format!("Cannot use the URL {:?}.", store::open::redacted(url));
            Exit::new(
                Code::Configuration,
                &what,
                why,
                "write http://127.0.0.1:8080, or the like.",
            )
        };
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(refuse("only http:// is spoken, without TLS."));
        };
        let (authority, prefix) = rest
            .find('/')
            .map_or((rest, ""), |slash| rest.split_at(slash));
        if authority.is_empty()
            || authority.contains('@')
            || !rest.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(refuse(
                "it names no host, or more than a host, a port and a path.",
            ));
        }
        let port = authority
            .rsplit_once(':')
            .map(|(_, port)| port)
            .filter(|p| !p.ends_with(']'));
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(refuse("its port is no number from 0 to 65535."));
        }
        let address = if port.is_some() {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        Ok(Self {
            address,
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Sends one request.
///
/// # Errors
/// [`Code::Unreachable`] where nobody answers there; see [`is_unreachable`].
pub(crate) async fn send(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Answer> {
    let base = &server.url;
    let target = Base::parse(base)?;
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", target.prefix))
        .header("host", &target.address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(token) = &server.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body)))?;

    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(&target.address))
        .await
        .map_err(|_elapsed| unreachable(base, "no connection within 5 s."))?
        .map_err(|error| unreachable(base, &format!("{error}.")))?;
    timeout(ANSWER_TIMEOUT, exchange(stream, request))
        .await
        .map_err(|_elapsed| unreachable(base, "no answer within 30 s."))?
        .map_err(|error| unreachable(base, &format!("the connection broke: {error}.")).into())
}

/// Whether this error says that no server could be reached.
pub(crate) fn is_unreachable(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Exit>()
        .is_some_and(|exit| exit.code == Code::Unreachable)
}

fn unreachable(base: &str, why: &str) -> Exit {
    let what = format!("Cannot reach orderd at {base}.");
    let fix = "is it running? Start it with: orderd serve. Elsewhere? Name it with --url.";
    Exit::new(Code::Unreachable, &what, why, fix)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(stream: TcpStream, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, BODY_MAX).collect().await?.to_bytes();
        Ok(Answer::new(&head, body))
    };
    // The connection ends by itself once `answer` has dropped its sender.
    tokio::join!(answer, connection).0
}

impl Answer {
    /// The answer of this head and body.
    pub(crate) fn new(head: &Parts, body: Bytes) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)));
        Self {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body.into(),
        }
    }

    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The JSON of a 2xx answer.
    ///
    /// # Errors
    /// Any other answer, in the words of its problem document.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        if !(200..300).contains(&self.status) {
            return Err(self.problem().into());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = format!("Cannot read the answer of the server ({}).", self.status);
            Exit::new(
                Code::Failed,
                &what,
                error,
                "is it orderd that answers there? See --url.",
            )
            .into()
        })
    }

    /// The answer as an error: the problem document that it should be, in words.
    pub(crate) fn problem(&self) -> Exit {
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let word = |name| document.get(name).and_then(Value::as_str);
        let title = word("title").unwrap_or("The server refused");
        let mut message = format!("{title} ({}", self.status);
        if let Some(code) = word("code") {
            message.push_str(", ");
            message.push_str(code);
        }
        message.push(')');
        if let Some(detail) = word("detail") {
            let _ = write!(message, "\nWhy: {}", sentence(detail));
        }
        for fault in document
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let part = |name| fault.get(name).and_then(Value::as_str).unwrap_or_default();
            let _ = write!(message, "\n  {}  {}", part("pointer"), part("detail"));
        }
        let fix = match word("code") {
            Some("unauthorized" | "forbidden") => Some(
                "set ORDERD_TOKEN, or name a file with --token-file; orderd token create makes one.",
            ),
            Some("admin_unauthorized") => Some("set ADMIN_PASSWORD to what the server has."),
            _ => None,
        };
        if let Some(fix) = fix {
            let _ = write!(message, "\nFix: {fix}");
        }
        if let Some(id) = word("request_id").or(self.header("x-request-id")) {
            let _ = write!(message, "\nRequest: {id}");
        }
        let later = document.get("retryable").and_then(Value::as_bool) == Some(true);
        Exit {
            code: if later { Code::Later } else { Code::Failed },
            message,
        }
    }
}

#[cfg(test)]
mod tests;
