//! What a load came to, for people and as JSON.

use super::tally::Tally;
use crate::progress::grouped;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What a load came to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) scenario: String,
    pub(super) connections: usize,
    /// How long was measured.
    pub(super) seconds: f64,
    /// Answers while it was measured.
    pub(super) requests: u64,
    pub(super) requests_per_s: f64,
    /// Where every request places orders.
    pub(super) orders_per_s: Option<f64>,
    pub(super) latency_us: Latency,
    /// Answers by their status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub(super) failures: u64,
    /// All requests, those before and after the measured time included.
    pub(super) requests_sent: u64,
    /// Where the load placed orders.
    pub(super) exactly_once: Option<ExactlyOnce>,
}

/// Latencies in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: u64,
    pub(super) max: u64,
}

/// What became of requests that were sent again.
#[derive(Debug, Serialize)]
pub(super) struct ExactlyOnce {
    /// Requests sent again.
    pub(super) checked: u64,
    /// Those that were answered otherwise than before.
    pub(super) different: u64,
    /// Those that share their first answer with another one.
    pub(super) shared: u64,
}

impl ExactlyOnce {
    pub(super) const fn holds(&self) -> bool {
        self.different == 0 && self.shared == 0
    }
}

impl Latency {
    pub(super) fn of(tally: &Tally) -> Self {
        let at = |quantile| tally.latencies.value_at_quantile(quantile);
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: tally.latencies.max(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            connections,
            seconds,
            latency_us: latency,
            ..
        } = self;
        writeln!(f, "{scenario}, {connections} connections, {seconds:.1} s")?;
        writeln!(
            f,
            "  requests  {}, {}/s",
            grouped(self.requests),
            rate(self.requests_per_s)
        )?;
        if let Some(orders) = self
            .orders_per_s
            .filter(|orders| *orders > self.requests_per_s)
        {
            writeln!(f, "  orders    {}/s", rate(orders))?;
        }
        writeln!(
            f,
            "  latency   p50 {} · p90 {} · p99 {} · p99.9 {} · max {}",
            micros(latency.p50),
            micros(latency.p90),
            micros(latency.p99),
            micros(latency.p99_9),
            micros(latency.max)
        )?;
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {}", grouped(*count)))
            .collect();
        writeln!(f, "  answers   {}", statuses.join(" · "))?;
        writeln!(f, "  no answer {}", grouped(self.failures))?;
        match &self.exactly_once {
            Some(check) => write!(f, "  once      {check}"),
            None => write!(f, "  once      not checked by this load"),
        }
    }
}

impl fmt::Display for ExactlyOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            checked,
            different,
            shared,
        } = self;
        if self.holds() {
            return write!(
                f,
                "✓ {checked} sent again, each answered as before, byte for byte"
            );
        }
        write!(
            f,
            "✗ of {checked} sent again, {different} were answered otherwise"
        )?;
        write!(f, " and {shared} shared their first answer with another")
    }
}

/// A rate without its fraction.
pub(super) fn rate(per_second: f64) -> String {
    let digits = format!("{per_second:.0}");
    digits.parse().map_or(digits, grouped)
}

/// A time in the unit that suits it.
pub(super) fn micros(micros: u64) -> String {
    let millis = std::time::Duration::from_micros(micros).as_secs_f64() * 1e3;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{millis:.2} ms"),
        _ => format!("{:.2} s", millis / 1e3),
    }
}

#[cfg(test)]
mod tests;
