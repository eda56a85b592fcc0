//! What a source file must look like, beyond what clippy and rustfmt see.

use super::{File, Package, Violation};

/// What is read in one sitting.
const LINES_MAX: usize = 600;

/// How a statement begins.
const SQL: [&str; 9] = [
    "select ", "insert ", "update ", "delete ", "create ", "drop ", "alter ", "pragma ", "with ",
];

/// What glues strings together.
const GLUE: [&str; 4] = ["format!(", "write!(", "push_str(", "concat!("];

/// What is done with a tag by who wants to know what it says.
const READING: [&str; 4] = [
    ".contract {",
    ".contract ==",
    ".contract !=",
    ".contract.0 ",
];

pub(super) fn check(package: &Package, file: &File) -> Vec<Violation> {
    let mut violations: Vec<_> = [head(file), length(file)].into_iter().flatten().collect();
    if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        return violations;
    }
    for (number, code) in product_lines(&file.text) {
        violations.extend(contract_tag(package, file, number, code));
        violations.extend(anyhow_in_signature(package, file, number, code));
        if package.name == "store" {
            violations.extend(glued_sql(file, number, code));
        }
    }
    violations
}

/// Tests beside their module need no word: they are its tests.
fn head(file: &File) -> Option<Violation> {
    (!file.path.ends_with("/tests.rs") && !file.text.starts_with("//!")).then(|| {
        let fix = "begin the file with `//!`: what it is for, and what is not in it";
        file.violation(1, "no word about what this file is for", fix)
    })
}

fn length(file: &File) -> Option<Violation> {
    let lines = file.text.lines().count();
    (lines > LINES_MAX).then(|| {
        let what = format!("{lines} lines, where {LINES_MAX} are the most");
        file.violation(LINES_MAX, what, "give one of its nouns a file of its own")
    })
}

/// Which contract an order was placed under is `api`'s business: others carry the tag unread.
fn contract_tag(package: &Package, file: &File, number: usize, code: &str) -> Option<Violation> {
    let digit = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    let named = code.split("Contract(").skip(1).any(digit);
    let read = READING.iter().any(|reading| code.contains(reading));
    (package.name != "api" && package.name != "xtask" && (named || read)).then(|| {
        let fix = "decide by a field of the order (fulfil, label), or do it in api";
        file.violation(number, "the contract tag is read outside api", fix)
    })
}

fn anyhow_in_signature(
    package: &Package,
    file: &File,
    number: usize,
    code: &str,
) -> Option<Violation> {
    let typed_errors = ["domain", "store", "api", "worker"].contains(&package.name.as_str());
    (typed_errors && code.contains("anyhow::")).then(|| {
        let fix = "use the crate's own error, named by what the caller does next";
        file.violation(number, format!("anyhow in {}", package.name), fix)
    })
}

fn glued_sql(file: &File, number: usize, code: &str) -> Option<Violation> {
    let glued = GLUE
        .iter()
        .filter_map(|glue| code.split_once(glue))
        .any(|(_, rest)| {
            let text = rest
                .split('"')
                .nth(1)
                .unwrap_or_default()
                .trim_start()
                .to_ascii_lowercase();
            SQL.iter().any(|word| text.starts_with(word))
        });
    glued.then(|| {
        let fix = "write the statement out in full and bind its values";
        file.violation(number, "SQL glued together from strings", fix)
    })
}

/// The lines of code that ship, with their numbers: no comments, no test modules. A line that ends
/// with an opening parenthesis is joined with the next, as rustfmt may have split it.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text
        .find("#[cfg(test)]\nmod ")
        .filter(|at| inline(&text[*at..]))
        .unwrap_or(text.len());
    let mut start = 0;
    let lines = text[..end].split_inclusive('\n').map(move |line| {
        let from = start;
        start += line.len();
        let ends_open = line.trim_end().ends_with('(');
        let next = text[start..]
            .find('\n')
            .filter(|_| ends_open)
            .map_or(0, |length| length + 1);
        &text[from..start + next]
    });
    (1..)
        .zip(lines)
        .filter(|(_, code)| !code.trim_start().starts_with("//"))
}

/// Whether a test module is written out here, not in a file of its own.
fn inline(module: &str) -> bool {
    module
        .lines()
        .nth(1)
        .is_some_and(|line| line.ends_with('{'))
}
