//! The service without its sockets: the router in process over a real store, with a clock that
//! tests move by hand and ids that are the same in every run.

use crate::{backend, documented};
use api::{Anonymous, App, Hosts, Parts, PasswordDigest, Proxies, Settings};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request};
use domain::idempotency::Retention;
use domain::product::Lines;
use domain::webhook::target::Reach;
use domain::{Change, Clock, Currency, Ids, Order, OrderId, Prefix, Status, Timestamp, WriteSet};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use store::cache::Cache;
use store::open::Access;
use store::{Check, Committed, Finding, OrderQuery, Store};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ORDER: &str =
    r#"{"customer_id":"cust1","lines":[{"item_id":"pen","quantity":2}]}"#;
pub(crate) const RECEIPT: &str = r#"{"customer_id":"cust1","item_id":"item1","quantity":1}"#;

/// The service, and what is behind it.
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<HandClock>,
    /// Where the store is.
    pub(crate) url: String,
    /// The store itself, whatever stands between it and the service.
    store: Arc<dyn Store>,
    router: Router,
    _dir: TempDir,
}

/// A clock that stands until it is moved.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn move_by(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.body))
            .into()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that this is a complete problem with this status and code.
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, &*self.field("code")),
            (status, code),
            "{}",
            self.body
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(
            problem["type"],
            format!("/problems/{}", code.replace('_', "-"))
        );
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert_eq!(problem["detail"], problem["error"]);
        assert_eq!(problem["detail"], problem["message"]);
        for name in ["title", "instance", "detail"] {
            assert!(!self.field(name).is_empty(), "{name}");
        }
    }
}

impl Service {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A service with other settings than usual.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::over(change, |store| store).await
    }

    /// A service with something between it and its store.
    pub(crate) async fn over(
        change: impl FnOnce(&mut Settings),
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock(AtomicI64::new(1_780_000_000_000)));
        let cache = Arc::new(Cache::in_process(Duration::from_secs(30), 1 << 20));
        let url = backend::fresh(&dir.path().join("orders.db"));
        let options = store::open::Options {
            url: url.clone(),
            access: Access::Own,
            customer_index: true,
            cache: Arc::clone(&cache),
        };
        let store = store::open(&options, &*clock).await.unwrap();
        let count = AtomicU64::new(0);
        let ids = Arc::new(Ids::new(move || count.fetch_add(1, Ordering::Relaxed)));
        let mut settings = settings();
        change(&mut settings);
        let app = Arc::new(App::new(Parts {
            store: between(Arc::clone(&store)),
            cache,
            clock: clock.clone(),
            ids,
            settings,
            cursor_key: [7; 32],
        }));
        Self {
            router: api::router(Arc::clone(&app)),
            app,
            clock,
            url,
            store,
            _dir: dir,
        }
    }

    /// The same service, minting its ids from `random`.
    pub(crate) fn minting(self, random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let app = App::new(Parts {
            store: Arc::clone(&self.store),
            cache: Arc::clone(&self.app.cache),
            clock: self.clock.clone(),
            ids: Arc::new(Ids::new(random)),
            settings: self.app.settings.clone(),
            cursor_key: [7; 32],
        });
        let app = Arc::new(app);
        Self {
            router: api::router(Arc::clone(&app)),
            app,
            ..self
        }
    }

    /// Sends a request; one with a body says that it is JSON unless `headers` say otherwise.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "orderd");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if matches!(method, "POST" | "PUT" | "PATCH") && !typed {
            request = request.header("content-type", "application/json");
        }
        self.send_as_is(request.body(body.into()).unwrap()).await
    }

    /// The routes, for whoever reads an answer piece by piece.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends a request as it is.
    pub(crate) async fn send_as_is(&self, request: Request<Body>) -> Answer {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (parts, body) = self
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        documented::check(method.as_str(), uri.path(), &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Places an order at `/v1/orders`.
    pub(crate) async fn place(&self, key: &str, body: &str) -> Answer {
        self.send(
            "POST",
            "/v1/orders",
            &[("idempotency-key", key)],
            body.to_owned(),
        )
        .await
    }

    /// Moves an order on, as the worker would.
    pub(crate) async fn move_to(&self, id: &str, status: Status) {
        let id = OrderId::parse(id).unwrap();
        let order = self.store.order(id).await.unwrap().unwrap();
        let change = Change::Order {
            was: order.version,
            now: Box::new(Order {
                status,
                version: order.version + 1,
                ..order
            }),
        };
        let write_set = WriteSet {
            claim: None,
            changes: vec![change],
        };
        let committed = self.store.commit(Arc::new(write_set)).await.unwrap();
        assert_eq!(committed, Committed::Done);
    }

    /// Whatever breaks a promise on the rows.
    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for check in Check::ALL {
            findings.extend(self.store.audit(check, None).await.unwrap().items);
        }
        findings
    }

    /// How many orders there are.
    pub(crate) async fn orders(&self) -> usize {
        let query = OrderQuery {
            customer_id: None,
            status: None,
            from: None,
            before: None,
            limit: 1_000,
        };
        self.store.orders(query).await.unwrap().items.len()
    }
}

fn settings() -> Settings {
    Settings {
        rules: crate::fulfilment::rules(),
        fulfil_after_ms: 0,
        commit: "abc123",
        version: "0.0.0-test",
        idempotency_required: true,
        idempotency_mismatch_status: 409,
        retention: Retention {
            reply_ms: 30 * DAY_MS,
            tombstone_ms: 400 * DAY_MS,
        },
        default_currency: Currency::USD,
        order_lines: Lines::Any,
        require_if_match: false,
        body_max_bytes: 64 * 1024,
        batch_max_bytes: 4 * 1024 * 1024,
        body_timeout_ms: 10_000,
        faults_enabled: true,
        fulfil_all_contracts: false,
        anonymous: Anonymous::Write,
        hosts: Hosts::Any,
        base_path: Prefix::default(),
        trusted_proxies: Proxies {
            networks: Vec::new(),
            header: HeaderName::from_static("x-forwarded-for"),
        },
        rate: None,
        webhook_reach: Reach::Any,
        trace_url: String::new(),
        admin_password: Some(PasswordDigest::of(PASSWORD.as_bytes())),
    }
}
