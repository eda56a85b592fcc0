//! What `seed` and `reset` work on: a running server, or, where none answers, the configured file,
//! alone. Both are asked with the same requests, so that both keep the same rules.

use crate::Globals;
use crate::client::{self, Answer, ServerArgs};
use crate::config::{self, Config};
use crate::exit::{Code, Exit};
use crate::serve;
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use std::fmt;
use std::sync::Arc;
use store::Store;
use store::cache::Cache;
use tower::ServiceExt as _;

/// A server, or a file without one.
pub(crate) enum Target {
    /// A running server.
    Server {
        /// Where it is.
        url: String,
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

impl Target {
    /// The server that was named; else the one that listens as configured; else the file.
    ///
    /// # Errors
    /// Where neither a server answers nor the file can be opened.
    pub(crate) async fn find(server: &ServerArgs, globals: &Globals) -> anyhow::Result<Self> {
        let config = config::load(globals, Vec::new())?;
        let url = server
            .url
            .clone()
            .unwrap_or_else(|| client::url_of(config.settings.server.listen));
        match client::send(&url, "GET", "/livez", &[], b"").await {
            Err(error) if server.url.is_none() && client::is_unreachable(&error) => {
                Self::alone(&config).await
            }
            Err(error) => Err(error),
            Ok(_alive) => Ok(Self::Server {
                url,
                password: config.settings.admin.password,
            }),
        }
    }

    async fn alone(config: &Config) -> anyhow::Result<Self> {
        // A server that starts later trusts nothing that was cached before.
        let (store, app) = serve::open(config, Arc::new(Cache::off())).await?;
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
            Self::Server { url, .. } => client::send(url, method, path, headers, body).await,
            Self::Alone { router, .. } => ask(router.clone(), method, path, headers, body).await,
        }
    }

    /// Removes all that belongs to orders.
    ///
    /// # Errors
    /// Where it was refused; then nothing was removed.
    pub(crate) async fn reset(&self) -> anyhow::Result<()> {
        let password = match self {
            Self::Alone { store, .. } => {
                store.reset().await?;
                return Ok(());
            }
            Self::Server { password, .. } if password.is_empty() => {
                let why = "no admin password is configured here.";
                let fix =
                    "set ADMIN_PASSWORD to what the server has; or stop it, and run this again.";
                return Err(
                    Exit::new(Code::Configuration, "Nothing was removed.", why, fix).into(),
                );
            }
            Self::Server { password, .. } => password,
        };
        let headers = [("x-admin-password", password.as_str())];
        self.send("POST", "/admin/reset", &headers, b"")
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
    let request = request.body(Body::from(body.to_vec()))?;
    let (head, body) = router.oneshot(request).await?.into_parts();
    Ok(Answer::new(&head, body.collect().await?.to_bytes()))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { url, .. } => f.write_str(url),
            Self::Alone { location, .. } => f.write_str(location),
        }
    }
}
