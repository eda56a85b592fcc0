//! The one layer around every route: who asks and under which id, what no route has to deal with
//! (bounds on headers, ambiguous requests, panics, problems in full), and the one log line.

use crate::access::{self, Identity, Left, Needed, Owner, Who, is_health};
use crate::metrics::Answer;
use crate::problem::{Code, Problem};
use crate::router::template;
use crate::{App, dashboard};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, HOST, LINK, LOCATION, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use axum::response::{IntoResponse, Response};
use domain::idempotency::Principal;
use domain::token::TokenScope;
use domain::trace::{Span, SpanKind, Trace};
use domain::{OrderId, Prefix};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Waker, Poll};
use std::time::Instant;
use tower::{Layer, Service};
use tracing::{error, info};
use uuid::fmt::Hyphenated;

const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 16 * 1024;
const REQUEST_ID_MAX: usize = 128;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What handlers know of a request beside its own words.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) request_id: RequestId,
    pub(crate) principal: Principal,
    /// What it may do; `None`: nothing.
    pub(crate) scope: Option<TokenScope>,
    /// Where it came from.
    pub(crate) source: Who,
    /// The trace that it belongs to: what it causes is below its span, where there is one.
    pub(crate) trace: Option<Trace>,
    /// What stands before every path, as whoever asks knows them.
    pub(crate) prefix: Prefix,
}

impl Context {
    /// Whether it may do what needs `wanted`, where only the handler knows that.
    pub(crate) fn check_scope(&self, wanted: TokenScope) -> Result<(), Problem> {
        let with_token = !self.principal.as_str().is_empty();
        access::check_scope(self.scope, wanted, with_token)
    }
}

/// Names one request: the client's name for it if that is a decent one, else a fresh UUID.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn of(app: &App, headers: &HeaderMap) -> Self {
        let sent = headers
            .get(&X_REQUEST_ID)
            .or_else(|| headers.get(&REQUEST_ID));
        Self(
            sent.filter(|id| is_request_id(id.as_bytes()))
                .cloned()
                .unwrap_or_else(|| fresh(app)),
        )
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("only ASCII gets in")
    }
}

fn is_request_id(id: &[u8]) -> bool {
    let decent = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=REQUEST_ID_MAX).contains(&id.len()) && id.iter().all(decent)
}

fn fresh(app: &App) -> HeaderValue {
    let id = app.ids.mint(app.clock.now());
    let mut text = [0; Hyphenated::LENGTH];
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).expect("a UUID is ASCII")
}

/// Left in an answer by a handler that placed an order, for the log line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About(pub(crate) OrderId);

/// Puts [`Outermost`] around a service.
#[derive(Clone)]
pub(crate) struct OutermostLayer(pub(crate) Arc<App>);

impl<S> Layer<S> for OutermostLayer {
    type Service = Outermost<S>;

    fn layer(&self, inner: S) -> Outermost<S> {
        Outermost {
            inner,
            app: Arc::clone(&self.0),
        }
    }
}

/// The one layer. A service by hand rather than a stack of small ones: it is on the way of every
/// request, and each of those would allocate its own future.
#[derive(Clone)]
pub(crate) struct Outermost<S> {
    inner: S,
    app: Arc<App>,
}

impl<S> Service<Request> for Outermost<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(waker)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let mut exchange = Exchange::begin(&self.app, &request);
        if let Err(problem) = admit(&request) {
            let answer = exchange.end(problem.into_response());
            return Box::pin(std::future::ready(Ok(answer)));
        }
        dashboard::lend_token(&self.app, &mut request);
        let token = request.headers().get(AUTHORIZATION).cloned();
        // Health needs no token; a wrong one is not to make a balancer think that we are away, nor to
        // keep anybody from signing in.
        let needed = Needed::of(request.method(), exchange.route);
        let Some(token) = token.filter(|_| needed != Needed::Nothing) else {
            // Nearly every request: nothing to wait for before its handler.
            let identity = access::anonymous(&self.app, &request);
            if let Err(problem) = exchange.identify(identity, &mut request) {
                let answer = exchange.end(problem.into_response());
                return Box::pin(std::future::ready(Ok(answer)));
            }
            return Box::pin(exchange.run(self.inner.call(request)));
        };
        let mut inner = self.inner.clone();
        Box::pin(async move {
            let source = Who::source(&exchange.app, &request);
            let identified = match access::authenticate(&exchange.app, &token, &source).await {
                Ok(identity) => exchange.identify(identity, &mut request),
                Err(problem) => Err(problem),
            };
            match identified {
                Ok(()) => exchange.run(inner.call(request)).await,
                Err(problem) => Ok(exchange.end(problem.into_response())),
            }
        })
    }
}

/// One request and its answer.
struct Exchange {
    app: Arc<App>,
    request_id: RequestId,
    method: &'static str,
    route: &'static str,
    began: Instant,
    /// How much the principal has left, where there is a limit.
    left: Option<Left>,
    /// Who looks at the dashboard, whose problems are pages.
    looking: Option<Box<Parts>>,
    /// The trace that it belongs to, where it belongs to one.
    trace: Option<Trace>,
    /// Its own span, where that is recorded.
    span: Option<Box<dyn Span>>,
    /// What stands before every path, as whoever asks knows them.
    prefix: Prefix,
}

impl Exchange {
    fn begin(app: &Arc<App>, request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let method = method(request.method());
        let route = matched.map_or("other", |path| template(path.as_str()));
        let parent = trace(request.headers());
        let span = span(app, method, route, parent);
        Self {
            app: Arc::clone(app),
            request_id: RequestId::of(app, request.headers()),
            method,
            route,
            began: Instant::now(),
            left: None,
            looking: dashboard::looking(request),
            trace: span.as_ref().map(|span| span.place()).or(parent),
            span,
            prefix: access::prefix(app, request),
        }
    }

    /// Lets a request go on to its handler, if whoever asks may do that, and as often.
    fn identify(&mut self, identity: Identity, request: &mut Request) -> Result<(), Problem> {
        let needed = Needed::of(request.method(), self.route);
        if needed != Needed::Nothing && request.extensions().get::<Owner>().is_none() {
            access::authorize(&self.app, &identity, needed, request)?;
            self.left = self.app.limiter.take(&self.app, &identity.who);
            self.left.as_ref().map_or(Ok(()), Left::check)?;
        }
        let context = Context {
            request_id: self.request_id.clone(),
            principal: identity.principal,
            scope: identity.scope,
            source: Who::source(&self.app, request),
            trace: self.trace,
            prefix: self.prefix.clone(),
        };
        if let Some(parts) = &mut self.looking {
            parts.extensions.insert(context.clone());
        }
        request.extensions_mut().insert(context);
        Ok(())
    }

    /// Waits for the answer of a handler.
    async fn run(
        self,
        answer: impl Future<Output = Result<Response, Infallible>>,
    ) -> Result<Response, Infallible> {
        let answer = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(answer)) => answer,
            Err(_panic) => self.panicked(),
        };
        Ok(self.end(answer))
    }

    fn panicked(&self) -> Response {
        error!(
            request_id = self.request_id.as_str(),
            route = self.route,
            "A handler panicked"
        );
        let detail = "Something failed inside; the log has this request id.";
        Problem::new(Code::Internal, detail).into_response()
    }

    fn end(mut self, mut answer: Response) -> Response {
        if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
            problem.report(&self.app, self.request_id.as_str());
            problem.write_to(&mut answer, &self.request_id, self.trace, &self.prefix);
            if let Some(parts) = &self.looking {
                dashboard::refused(&self.app, parts, &problem, &mut answer);
            }
        }
        self.note(&answer);

        let headers = answer.headers_mut();
        if let Some(left) = &self.left {
            left.write_to(headers);
        }
        lead_through(&self.prefix, headers);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
        let traceparent = self.trace.map(|trace| trace.to_string());
        if let Some(Ok(traceparent)) = traceparent.map(HeaderValue::try_from) {
            headers.insert(TRACEPARENT, traceparent);
        }
        headers.insert(REQUEST_ID, self.request_id.0.clone());
        headers.insert(X_REQUEST_ID, self.request_id.0);
        answer
    }

    fn note(&mut self, answer: &Response) {
        let took = self.began.elapsed();
        let status = answer.status().as_u16();
        let sort = Answer {
            http_request_method: self.method,
            http_route: self.route,
            http_response_status_code: status.into(),
        };
        self.app.metrics.answered(&sort, took);
        if self.method == "POST" && self.looking.is_none() {
            self.app.metrics.took(took);
        }
        if is_asked_all_the_time(self.method, self.route) {
            return;
        }
        let about: Option<&About> = answer.extensions().get();
        if let Some(span) = &mut self.span {
            span.count("http.response.status_code", status.into());
            if let Some(About(id)) = about {
                span.set("order.id", &id.to_string());
            }
            if status >= 500 {
                span.fail("");
            }
        }
        let order_id = about.map(|About(id)| tracing::field::display(id));
        let trace_id = self.trace.map(|it| tracing::field::display(it.name()));
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        info!(
            request_id = self.request_id.as_str(),
            method = self.method,
            route = self.route,
            status,
            duration_us,
            order_id,
            trace_id,
            "Answered {status}"
        );
    }
}

/// Puts the prefix before the paths that an answer leads to. Out here, since answers are kept and given
/// again, to clients who may have come another way.
fn lead_through(prefix: &Prefix, headers: &mut HeaderMap) {
    if prefix.is_empty() {
        return;
    }
    for (name, before) in [(LOCATION, ""), (LINK, "<")] {
        let path = headers.get(&name).and_then(|value| value.to_str().ok());
        let path = path.and_then(|path| path.strip_prefix(before));
        // Those of the dashboard are relative.
        let path = path.filter(|path| path.starts_with('/'));
        let led = path.map(|path| HeaderValue::try_from(format!("{before}{prefix}{path}")));
        if let Some(Ok(led)) = led {
            headers.insert(name, led);
        }
    }
}

/// Refuses what no route should see.
fn admit(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(Problem::new(
            Code::HeaderFieldsTooLarge,
            format!(
                "There are more than {HEADERS_MAX} headers or {HEADER_BYTES_MAX} bytes of them."
            ),
        ));
    }
    let named = headers.contains_key(HOST) || request.uri().authority().is_some();
    if request.version() == Version::HTTP_11 && !named {
        return Err(Problem::new(
            Code::BadRequest,
            "An HTTP/1.1 request needs a Host header.",
        ));
    }
    // Our own HTTP reader drops the length and closes afterwards; this is for any other one.
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Problem::new(
            Code::BadRequest,
            "Content-Length and Transfer-Encoding contradict each other.",
        ));
    }
    Ok(())
}

/// The method as a label: known words only, however a client calls its own.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Whether a route is asked by machines every few seconds, so that nobody wants to read of it: pages
/// of the dashboard are as long as they are open.
fn is_asked_all_the_time(method: &str, route: &str) -> bool {
    is_health(route) || route == "/metrics" || (method == "GET" && route.starts_with("/ui"))
}

/// The span of a request, where somebody records it.
fn span(
    app: &App,
    method: &'static str,
    route: &'static str,
    parent: Option<Trace>,
) -> Option<Box<dyn Span>> {
    let tracer = app.tracer.as_ref()?;
    if is_asked_all_the_time(method, route) {
        return None;
    }
    let mut span = tracer.begin(SpanKind::Server, format!("{method} {route}"), parent)?;
    span.set("http.request.method", method);
    span.set("http.route", route);
    Some(span)
}

/// The trace that a request says it belongs to.
fn trace(headers: &HeaderMap) -> Option<Trace> {
    Trace::parse(headers.get(&TRACEPARENT)?.to_str().ok()?)
}
