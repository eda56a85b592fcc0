//! The figures as a page: what was to be reached, what was seen, and on which machine.

use std::fmt::{self, Write as _};
use std::fs;

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// There is none: the figure is for comparison.
    None,
}

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) goal: Goal,
    /// The figure, where it could be taken.
    pub(super) seen: Option<f64>,
    pub(super) unit: &'static str,
    /// What else there is to say.
    pub(super) note: String,
}

impl Goal {
    fn mark(self, seen: Option<f64>) -> &'static str {
        match (self, seen) {
            (Self::None, _) | (_, None) => "",
            (Self::AtLeast(goal), Some(seen)) if seen >= goal => "✓",
            (Self::AtMost(goal), Some(seen)) if seen <= goal => "✓",
            _ => "✗",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.unit;
        let goal = match self.goal {
            Goal::AtLeast(goal) => format!("≥ {}{unit}", figure(goal)),
            Goal::AtMost(goal) => format!("≤ {}{unit}", figure(goal)),
            Goal::None => String::new(),
        };
        let seen = self.seen.map_or("not measured".to_owned(), |seen| {
            format!("{}{unit}", figure(seen))
        });
        let mark = self.goal.mark(self.seen);
        write!(
            f,
            "| {} | {goal} | {seen} | {mark} | {} |",
            self.what, self.note
        )
    }
}

/// The page.
pub(super) fn page(date: &str, how: &str, rows: &[Row]) -> String {
    let mut page = format!("# Bench of {date}\n\n{}\n{how}\n\n", machine());
    page.push_str("| what | goal | seen | | |\n|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(page, "{row}");
    }
    page
}

/// The machine, without its name.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']));
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores ({model}), Linux {}.", kernel.trim())
}

/// Three significant figures, thousands apart.
pub(super) fn figure(number: f64) -> String {
    let digits = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit != '-' {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() {
        grouped
    } else {
        format!("{grouped}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_three_digits_and_its_thousands_apart() {
        for (number, text) in [
            (65_012.4, "65,012"),
            (4.0, "4"),
            (18.14, "18.1"),
            (0.5, "0.5"),
            (280.0, "280"),
        ] {
            assert_eq!(figure(number), text);
        }
    }

    #[test]
    fn a_goal_is_marked_as_reached_or_missed() {
        let row = |goal, seen| Row {
            what: "x".into(),
            goal,
            seen,
            unit: " %",
            note: String::new(),
        };
        assert_eq!(
            row(Goal::AtLeast(40.0), Some(43.0)).to_string(),
            "| x | ≥ 40 % | 43 % | ✓ |  |"
        );
        assert_eq!(
            row(Goal::AtMost(20.0), Some(21.0)).to_string(),
            "| x | ≤ 20 % | 21 % | ✗ |  |"
        );
        assert_eq!(
            row(Goal::AtMost(20.0), None).to_string(),
            "| x | ≤ 20 % | not measured |  |  |"
        );
    }
}
