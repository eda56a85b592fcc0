//! What a server says at `/metrics`, taken apart. Of the text format as much as orderd writes.

use std::collections::BTreeMap;

/// All samples of one answer, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample(Vec<Series>);

/// One value, under its name and labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Series {
    /// The value of a label; nothing where it has none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn parse(line: &str) -> Option<Self> {
        let end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(end);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        Some(Self {
            name: name.to_owned(),
            labels,
            value: value.split_whitespace().next()?.parse().ok()?,
        })
    }
}

/// The labels from behind the brace on, and what follows them.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.insert(name.to_owned(), value);
        rest = behind;
    }
}

/// A text up to its quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

impl Sample {
    /// Reads an answer; lines that cannot be read are left out.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(Series::parse).collect())
    }

    /// The series of this name.
    pub(super) fn of<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Series> {
        self.0.iter().filter(move |series| series.name == name)
    }

    /// The sum of the series of this name that are wanted.
    pub(super) fn sum(&self, name: &str, wanted: impl Fn(&Series) -> bool) -> f64 {
        let wanted = self.of(name).filter(|series| wanted(series));
        wanted.map(|series| series.value).sum()
    }

    /// The sums of a name by a label.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for series in self.of(name) {
            *sums.entry(series.label(label).to_owned()).or_default() += series.value;
        }
        sums
    }
}
