//! Charts, drawn as SVG on the server: they need no script, and follow the theme by their classes.

use super::history::real;
use maud::{Markup, html};
use std::fmt::Write;

/// The size of the drawing, in its own units; on a page it is as wide as there is room.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// One line of a chart.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Where there is nothing to show, the line has a gap.
    pub(super) values: Vec<Option<f64>>,
}

/// A chart with one or two lines; the second is dashed, so that colour is not all that differs.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) span: &'a str,
    pub(super) unit: &'a str,
    pub(super) lines: &'a [Line<'a>],
    /// How many values there are once the span is full; the line grows in from the right.
    pub(super) length: usize,
    /// The least that the top stands for, so that next to nothing does not look like a storm.
    pub(super) top_min: f64,
}

impl Chart<'_> {
    pub(super) fn render(&self) -> Markup {
        let top = nice(self.largest().max(self.top_min));
        let shown = |value: Option<f64>| {
            value.map_or_else(|| "–".to_owned(), |value| figure(value) + self.unit)
        };
        let label = self.lines.iter().fold(
            format!("{}, last {}", self.title, self.span),
            |mut text, line| {
                let now = shown(line.values.last().copied().flatten());
                write!(text, "; {} now {now}", line.name)
                    .expect("a String takes all that is written to it");
                text
            },
        );
        html! {
            figure .chart {
                figcaption {
                    b { (self.title) }
                    @for (number, line) in self.lines.iter().enumerate() {
                        span .{ "l" (number) } { (line.name) " "
                            (shown(line.values.last().copied().flatten())) }
                    }
                }
                span .top aria-hidden="true" { (figure(top)) (self.unit) }
                svg role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
                    preserveAspectRatio="none" {
                    @for (number, line) in self.lines.iter().enumerate() {
                        path .{ "l" (number) } d=(self.path(&line.values, top)) {}
                    }
                }
                p .ends aria-hidden="true" { span { "−" (self.span) } span { "now" } }
            }
        }
    }

    fn largest(&self) -> f64 {
        let values = self
            .lines
            .iter()
            .flat_map(|line| line.values.iter().flatten());
        values.copied().fold(0.0, f64::max)
    }

    fn path(&self, values: &[Option<f64>], top: f64) -> String {
        let mut path = String::new();
        let step = WIDTH / real(self.length.saturating_sub(1).max(1) as u64);
        let first = self.length.saturating_sub(values.len());
        let mut pen_is_down = false;
        for (place, value) in values.iter().enumerate() {
            let Some(value) = value else {
                pen_is_down = false;
                continue;
            };
            let x = step * real((first + place) as u64);
            let y = HEIGHT - 1.0 - (HEIGHT - 2.0) * (value / top).clamp(0.0, 1.0);
            let to = if pen_is_down { 'L' } else { 'M' };
            write!(path, "{to}{x:.1} {y:.1}").expect("a String takes all that is written to it");
            // A value that stands alone is a point.
            if !pen_is_down {
                path.push_str("h.1");
            }
            pen_is_down = true;
        }
        path
    }
}

/// The next number that reads well: 1, 2 or 5 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

/// Three figures or so.
pub(super) fn figure(value: f64) -> String {
    match value {
        ..0.05 => "0".to_owned(),
        ..10.0 => format!("{value:.1}"),
        ..10_000.0 => format!("{value:.0}"),
        ..10_000_000.0 => format!("{:.0}k", value / 1e3),
        _ => format!("{:.0}M", value / 1e6),
    }
}

#[cfg(test)]
mod tests;
