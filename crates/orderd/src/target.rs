//! What `seed` and `reset` work on: a running server, or, where none answers, the configured file,
//! alone. Both are asked with the same requests, so that both keep the same rules.

use crate::Globals;
use crate::client::{self, Answer, Server, ServerArgs};
use crate::serve;
use api::Owner;
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use setup::config::{self, Config};
use setup::exit::{Code, Exit};
use std::fmt;
use std::sync::Arc;
use store::Store;
use store::cache::Cache;
use tower::ServiceExt as _;

/// A server, or a file without one.
pub(crate) enum Target {
    /// A running server.
    Server {
        /// Where it is, and what to show it.
        server: Server,
        /// What its admin routes want; empty where none is configured.
        password: String,
    },
    /// A store that this process owns for as long as the command takes.
    Alone {
        /// Answers as a server would.
        router: Router,
        /// Where its orders are.
        store: Arc<dyn Store>,
        /// Where that is, for people.
        location: String,
    },
}

/// Whether to reset though orders are being paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// Do.
    Yes,
    /// Do not.
    No,
}

impl Target {
    /// The server that was named; else the one that listens as configured; else the file.
    ///
    /// # Errors
    /// Where neither a server answers nor the file can be opened.
    pub(crate) async fn find(server: &ServerArgs, globals: &Globals) -> anyhow::Result<Self> {
        let config = config::load(globals, Vec::new())?;
        let named = server.url.is_some();
        let url = server.url.clone();
        let server = Server {
            url: url.unwrap_or_else(|| client::url_of(config.settings.server.listen)),
            token: server.token(globals)?,
        };
        match client::send(&server, "GET", "/livez", &[], b"").await {
            Err(error) if !named && client::is_unreachable(&error) => Self::alone(&config).await,
            Err(error) => Err(error),
            Ok(_alive) => Ok(Self::Server {
                server,
                password: config.settings.admin.password,
            }),
        }
    }

    async fn alone(config: &Config) -> anyhow::Result<Self> {
        // The admin routes exist where there is a password; the owner is not asked for it.
        let mut config = config.clone();
        config.settings.admin.password = uuid::Builder::from_random_bytes(rand::random())
            .into_uuid()
            .to_string();
        // A server that starts later trusts nothing that was cached before.
        let (store, app) = serve::open(&config, Arc::new(Cache::off()), None).await?;
        let location = store.stats().await?.location;
        Ok(Self::Alone {
            router: api::router(app),
            store,
            location,
        })
    }

    /// Sends one request.
    ///
    /// # Errors
    /// Where there is no answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        match self {
            Self::Server { server, .. } => client::send(server, method, path, headers, body).await,
            Self::Alone { router, .. } => ask(router.clone(), method, path, headers, body).await,
        }
    }

    /// Removes all that belongs to orders; while some are being paid for only by `force`.
    ///
    /// # Errors
    /// Where it was refused; then nothing was removed.
    pub(crate) async fn reset(&self, force: Force) -> anyhow::Result<()> {
        // The owner of a file, and a token of scope admin, need no password.
        let password = match self {
            Self::Server { server, password } if server.token.is_none() => Some(password),
            _ => None,
        };
        if password.is_some_and(String::is_empty) {
            let why = "no admin password is configured here.";
            let fix = "set ADMIN_PASSWORD to what the server has; or stop it, and run this again.";
            return Err(Exit::new(Code::Configuration, "Nothing was removed.", why, fix).into());
        }
        let mut headers = vec![("content-type", "application/json")];
        if let Some(password) = password {
            headers.push(("x-admin-password", password));
        }
        let body = serde_json::json!({ "force": force == Force::Yes }).to_string();
        self.send("POST", "/admin/reset", &headers, body.as_bytes())
            .await?
            .json()?;
        Ok(())
    }

    /// Lets go of the file, where it is ours.
    ///
    /// # Errors
    /// Where it cannot be brought to rest.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        if let Self::Alone { store, .. } = self {
            store.close().await?;
        }
        Ok(())
    }
}

async fn ask(
    router: Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Answer> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_vec()))?;
    request.extensions_mut().insert(Owner);
    let (head, body) = router.oneshot(request).await?.into_parts();
    Ok(Answer::new(&head, body.collect().await?.to_bytes()))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { server, .. } => f.write_str(&server.url),
            Self::Alone { location, .. } => f.write_str(location),
        }
    }
}
