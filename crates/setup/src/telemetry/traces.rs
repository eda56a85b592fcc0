//! Spans, sent by OTLP over HTTP to whoever the environment names in the words of OpenTelemetry.
//!
//! A span that ends is put into a queue, from which a thread of its own sends them in batches: where the
//! queue is full or nobody takes them, spans are lost and nothing else.

use crate::config;
use domain::trace::{Span, SpanKind, Trace, Tracer};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind as Kind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as Recording};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

/// How long a stop waits for spans to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// How long a process that is put to sleep afterwards waits for them.
const SEND_MAX: Duration = Duration::from_millis(500);
/// What this service is called, unless the environment says otherwise.
const NAME: &str = "orderd";

/// Keeps spans being recorded.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to record spans; `None` where nobody collects them.
    pub(super) fn start() -> Option<Self> {
        let wanted = config::traces()?;
        worker::providers::http::install_tls();
        // It reads the endpoint, the headers and the time-out from the environment.
        let exporter = match SpanExporter::builder().with_http().build() {
            Ok(exporter) => exporter,
            Err(error) => {
                warn!(
                    "Traces are off: {error}; OTEL_EXPORTER_OTLP_ENDPOINT is to be the URL of a \
                     collector that takes OTLP over HTTP, with OTEL_EXPORTER_OTLP_PROTOCOL left \
                     out or http/protobuf"
                );
                return None;
            }
        };
        let resource = Resource::builder();
        let resource = if wanted.is_named {
            resource
        } else {
            resource.with_service_name(NAME)
        };
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build());
        Some(Self(provider.build()))
    }

    /// Who records spans.
    pub(super) fn tracer(&self) -> Arc<dyn Tracer> {
        Arc::new(Otel(self.0.tracer(NAME)))
    }

    /// Sends what was recorded so far, waiting no longer than [`SEND_MAX`].
    pub(super) async fn flush(&self) {
        let provider = self.0.clone();
        // It waits as threads do, and others have work to do on this one.
        let sent = spawn_blocking(move || provider.force_flush());
        match timeout(SEND_MAX, sent).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => warn!("Could not send spans: {error}"),
            Ok(Err(_)) | Err(_) => warn!("Could not send spans in time"),
        }
    }

    /// Sends what was recorded, waiting no longer than [`FLUSH_MAX`], and records no more.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_MAX) {
            warn!("Could not send the last spans: {error}");
        }
    }
}

struct Otel(SdkTracer);

impl Tracer for Otel {
    fn begin(&self, kind: SpanKind, name: String, parent: Option<Trace>) -> Option<Box<dyn Span>> {
        let parent = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(SpanContext::new(
                TraceId::from(parent.trace_id()),
                SpanId::from(parent.span_id()),
                TraceFlags::new(parent.flags()),
                true,
                TraceState::NONE,
            ))
        });
        let builder = self.0.span_builder(name).with_kind(match kind {
            SpanKind::Server => Kind::Server,
            SpanKind::Client => Kind::Client,
            SpanKind::Consumer => Kind::Consumer,
        });
        let span = self.0.build_with_context(builder, &parent);
        let place = place(span.span_context()).filter(Trace::is_sampled)?;
        Some(Box::new(Recorded { span, place }))
    }
}

fn place(context: &SpanContext) -> Option<Trace> {
    let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
    let span_id = u64::from_be_bytes(context.span_id().to_bytes());
    Trace::new(trace_id, span_id, context.trace_flags().to_u8())
}

/// A span; when it is dropped, it ends and is put into the queue.
struct Recorded {
    span: Recording,
    place: Trace,
}

impl Span for Recorded {
    fn place(&self) -> Trace {
        self.place
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.span
            .set_attribute(KeyValue::new(name, value.to_owned()));
    }

    fn count(&mut self, name: &'static str, value: i64) {
        self.span.set_attribute(KeyValue::new(name, value));
    }

    fn fail(&mut self, why: &str) {
        self.span.set_status(Status::error(why.to_owned()));
    }
}
