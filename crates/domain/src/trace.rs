//! The trace that an order belongs to: its place in the tree of spans that others draw, as W3C Trace
//! Context writes it in a `traceparent`. Who records spans is behind [`Tracer`]; the rules carry the
//! place along and never look at it.

use std::fmt;

/// The place of one span in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trace {
    id: u128,
    span: u64,
    flags: u8,
}

/// The flag that says that spans of the trace are recorded.
const SAMPLED: u8 = 1;
/// How long a `traceparent` of version 00 is.
const LENGTH: usize = 55;

impl Trace {
    /// A place; `None` where one of the ids is nil.
    #[must_use]
    pub const fn new(id: u128, span: u64, flags: u8) -> Option<Self> {
        if id == 0 || span == 0 {
            return None;
        }
        Some(Self { id, span, flags })
    }

    /// Reads a `traceparent`. Of a later version, only what version 00 has; what is malformed is to be
    /// treated as if it were not there.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let version = hex(parts.next()?, 2)?;
        let (id, span) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = hex(parts.next()?, 2)?;
        let goes_on = version > 0 && rest.starts_with('-');
        if version == 0xff || !(rest.is_empty() || goes_on) {
            return None;
        }
        Self::new(id, span.try_into().ok()?, flags.try_into().ok()?)
    }

    /// The id of the trace.
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        self.id
    }

    /// The id of the span.
    #[must_use]
    pub const fn span_id(&self) -> u64 {
        self.span
    }

    /// The flags, as they came.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether spans of it are recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The id of the trace as people look for it: 32 digits.
    #[must_use]
    pub fn name(self) -> impl fmt::Display {
        let id = self.id;
        fmt::from_fn(move |f| write!(f, "{id:032x}"))
    }
}

/// As a `traceparent`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, span, flags } = self;
        write!(f, "00-{id:032x}-{span:016x}-{flags:02x}")
    }
}

/// A number of so many small hexadecimal digits.
fn hex(part: &str, length: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if part.len() != length || !part.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(part, 16).ok()
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that was answered.
    Server,
    /// A request to somebody else.
    Client,
    /// Work that a message or a wake began.
    Consumer,
}

/// Records spans.
pub trait Tracer: Send + Sync {
    /// Begins a span, which is below `parent` or a root. `None`: it is not recorded.
    fn begin(&self, kind: SpanKind, name: String, parent: Option<Trace>) -> Option<Box<dyn Span>>;
}

/// A span that is being recorded; it ends when it is dropped.
pub trait Span: Send + Sync {
    /// Its place: that of the parent of what happens within it.
    fn place(&self) -> Trace;

    /// Says something of it.
    fn set(&mut self, name: &'static str, value: &str);

    /// Says a number of it.
    fn count(&mut self, name: &'static str, value: i64);

    /// Says that it failed, and why.
    fn fail(&mut self, why: &str);
}

#[cfg(test)]
mod tests;
