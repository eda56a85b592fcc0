//! Who looks on while orders are driven to their end: counts, and records spans. What is done does not
//! depend on it.

use domain::fulfil::{Answer, Call, CallKind};
use domain::trace::{Span, SpanKind, Trace, Tracer};
use domain::{Event, Order, Status};
use std::sync::Arc;
use std::time::Duration;

/// Is told what the worker did, as soon as it is done.
pub trait Witness: Send + Sync {
    /// A call was made, or could not be, and came to this after so long.
    fn tried(&self, call: CallKind, outcome: Outcome, took: Duration);

    /// An order came to its end, or needs a person.
    fn finished(&self, status: Status);
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or what it asked is known.
    Done,
    /// Whoever was asked does not want to.
    Refused,
    /// It failed, or nobody answered.
    Failed,
    /// It was not made: the provider is left alone for a while, or crowded.
    NotTried,
}

impl Outcome {
    /// That of an answer.
    #[must_use]
    pub const fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Done | Answer::Captured | Answer::NotCaptured => Self::Done,
            Answer::Refused(..) => Self::Refused,
            Answer::Failed(..) => Self::Failed,
            Answer::NotTried(_) => Self::NotTried,
        }
    }

    /// The word for it in metrics and spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotTried => "not_tried",
        }
    }
}

/// Those who look on, where there are any.
#[derive(Clone, Default)]
pub struct Watch {
    /// Who counts.
    pub witness: Option<Arc<dyn Witness>>,
    /// Who records spans.
    pub tracer: Option<Arc<dyn Tracer>>,
}

impl Watch {
    /// A span below `place`, where that belongs to a trace that is recorded.
    pub(crate) fn below(
        &self,
        place: Option<Trace>,
        kind: SpanKind,
        name: impl FnOnce() -> String,
    ) -> Option<Box<dyn Span>> {
        let place = place.filter(Trace::is_sampled)?;
        self.tracer.as_ref()?.begin(kind, name(), Some(place))
    }

    /// The span of the work that a wake of an order began.
    pub(crate) fn work(&self, order: &Order, attempt: u32) -> Option<Box<dyn Span>> {
        let mut span = self.below(order.trace, SpanKind::Consumer, || "fulfil".to_owned())?;
        span.set("order.id", &order.id.to_string());
        span.count("attempt", attempt.into());
        Some(span)
    }

    /// The span of a try of a call.
    pub(crate) fn call(
        &self,
        place: Option<Trace>,
        call: &Call,
        number: u32,
    ) -> Option<Box<dyn Span>> {
        let mut span = self.below(place, SpanKind::Client, || {
            let service = if call.kind.is_payment() {
                "payment"
            } else {
                "inventory"
            };
            format!("saga {service}.{}", call.kind.as_str())
        })?;
        span.set("order.id", &call.order_id.to_string());
        span.set("effect.id", &call.effect_id());
        span.count("try", number.into());
        Some(span)
    }

    /// The span of a try to tell somebody of an event.
    pub(crate) fn delivery(&self, event: &Event, number: u32) -> Option<Box<dyn Span>> {
        let kind = event.kind.as_str();
        let name = || format!("webhook {kind}");
        let mut span = self.below(event.traceparent, SpanKind::Client, name)?;
        span.set("order.id", &event.order_id.to_string());
        span.set("event.id", &event.id.to_string());
        span.count("try", number.into());
        Some(span)
    }

    /// Notes what came of a call; its span is at its end.
    pub(crate) fn tried(
        &self,
        call: CallKind,
        answer: &Answer,
        took: Duration,
        span: Option<Box<dyn Span>>,
    ) {
        let outcome = Outcome::of(answer);
        if let Some(witness) = &self.witness {
            witness.tried(call, outcome, took);
        }
        let Some(mut span) = span else {
            return;
        };
        span.set("outcome", outcome.as_str());
        match answer {
            Answer::Failed(why, _) | Answer::Refused(_, why) => span.fail(why),
            _ => {}
        }
    }

    pub(crate) fn finished(&self, status: Status) {
        if let Some(witness) = &self.witness {
            witness.finished(status);
        }
    }
}
