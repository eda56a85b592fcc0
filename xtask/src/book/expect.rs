//! Whether a command printed what the page says. What differs each time is masked by three rules:
//!
//! - `…` stands for anything within a line, and alone on a line for any number of lines; blanks around it
//!   only make it readable, and how many blanks or tabs stand together does not matter;
//! - a UUID of the page stands for the one that was printed in its place, from then on: in what is
//!   printed, and in commands;
//! - a time as `2026-11-21T01:16:35.454Z` stands for any such time.

use std::collections::BTreeMap;

/// The ids of a page, and what each is in this run.
pub(super) type Ids = BTreeMap<String, String>;

/// Compares what was printed with what the page says; gives the ids with those that were met, or `None`.
pub(super) fn as_wanted(wanted: &[String], printed: &str, ids: &Ids) -> Option<Ids> {
    let even = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted: Vec<String> = wanted.iter().map(|line| even(line)).collect();
    let printed: Vec<String> = printed.trim_end().lines().map(even).collect();
    let printed: Vec<&str> = printed.iter().map(String::as_str).collect();
    matches(&wanted, &printed, ids)
}

/// The same, line by line.
fn matches(wanted: &[String], seen: &[&str], ids: &Ids) -> Option<Ids> {
    let Some((first, rest)) = wanted.split_first() else {
        return seen.is_empty().then(|| ids.clone());
    };
    if first.trim() == "…" {
        return (0..=seen.len()).find_map(|left_out| matches(rest, &seen[left_out..], ids));
    }
    let (line, others) = seen.split_first()?;
    let ids = line_matches(&pieces(first), line, ids)?;
    matches(rest, others, &ids)
}

/// Puts the ids of this run into a command.
pub(super) fn with_ids(command: &str, ids: &Ids) -> String {
    ids.iter().fold(command.to_owned(), |command, (page, run)| {
        command.replace(page, run)
    })
}

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Anything,
    Id(&'a str),
    Time,
    Text(&'a str),
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut text, mut at) = (0, 0);
    while at < line.len() {
        let rest = &line[at..];
        let found = if rest.trim_start_matches(' ').starts_with('…') {
            let after = rest.trim_start_matches(' ').trim_start_matches('…');
            let after = after.trim_start_matches(' ');
            Some((Piece::Anything, rest.len() - after.len()))
        } else if let Some(id) = has_form(rest, ID) {
            Some((Piece::Id(id), id.len()))
        } else {
            has_form(rest, TIME).map(|time| (Piece::Time, time.len()))
        };
        let Some((piece, length)) = found else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if text < at {
            pieces.push(Piece::Text(&line[text..at]));
        }
        pieces.push(piece);
        at += length;
        text = at;
    }
    if text < line.len() {
        pieces.push(Piece::Text(&line[text..]));
    }
    pieces
}

fn line_matches(pieces: &[Piece<'_>], line: &str, ids: &Ids) -> Option<Ids> {
    let Some((piece, rest)) = pieces.split_first() else {
        return line.is_empty().then(|| ids.clone());
    };
    match piece {
        Piece::Text(text) => line_matches(rest, line.strip_prefix(text)?, ids),
        Piece::Time => line_matches(rest, &line[has_form(line, TIME)?.len()..], ids),
        Piece::Id(page) => {
            let run = has_form(line, ID)?;
            let mut ids = ids.clone();
            let known = ids.entry((*page).to_owned()).or_insert(run.to_owned());
            (known == run).then_some(())?;
            line_matches(rest, &line[run.len()..], &ids)
        }
        Piece::Anything => {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter()
                .find_map(|at| line_matches(rest, &line[at..], ids))
        }
    }
}

/// `x` is a hexadecimal digit in small letters, `9` a decimal one.
const ID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
const TIME: &str = "9999-99-99T99:99:99.999Z";

/// The beginning of a text, where it has this form.
fn has_form<'a>(text: &'a str, form: &str) -> Option<&'a str> {
    let start = text.get(..form.len())?;
    let alike = |(byte, form): (u8, u8)| match form {
        b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        b'9' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    start.bytes().zip(form.bytes()).all(alike).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "01a1fbad-36fe-7001-be45-0be60f28927c";
    const TWO: &str = "01a1fbad-3715-7000-9217-459c0ba8f039";

    fn met(wanted: &str, seen: &str) -> Option<Ids> {
        let wanted: Vec<String> = wanted.lines().map(str::to_owned).collect();
        as_wanted(&wanted, seen, &Ids::new())
    }

    #[test]
    fn an_id_stands_for_the_one_in_its_place() {
        let ids = met(&format!("id {ONE}."), &format!("id {TWO}.")).unwrap();
        assert_eq!(
            with_ids(&format!("show {ONE}"), &ids),
            format!("show {TWO}")
        );
        // One id cannot be two: a replay that names another order is seen.
        let seen = format!("{ONE}\n{TWO}");
        assert_eq!(met(&format!("{ONE}\n{ONE}"), &seen), None);
    }

    #[test]
    fn only_what_is_left_out_may_be_anything() {
        assert!(met("a … c\n…\nend", "a b c\nx\ny\nend").is_some());
        assert!(met("a … c", "a b d").is_none());
        assert!(met("a", "a\nb").is_none());
        assert!(met("a\nb", "a").is_none());
        assert!(met("at 2026-11-21T01:16:35.454Z", "at 2027-01-01T00:00:00.000Z").is_some());
        assert!(met("at 2026-11-21T01:16:35.454Z", "at noon").is_none());
    }
}
