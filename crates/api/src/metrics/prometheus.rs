//! The text format of Prometheus, out of that of `OpenMetrics`: the same samples, under heads that call
//! a counter by the whole name of its samples and know no infos and no units.

use std::fmt::Write;

/// Rewrites text in the format of `OpenMetrics`.
pub(super) fn rewritten(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), said) => help = said.unwrap_or_default(),
            (Some("TYPE"), Some(name), Some(kind)) => head(&mut text, name, kind, help),
            _ => {}
        }
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let (name, kind) = match kind {
        "counter" => (format!("{name}_total"), kind),
        "info" => (format!("{name}_info"), "gauge"),
        _ => (name.to_owned(), kind),
    };
    let kind = if kind == "unknown" { "untyped" } else { kind };
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
        .expect("a String takes all that is written to it");
}
