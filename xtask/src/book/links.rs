//! Whether links lead somewhere: to a file of the repository, and to a heading of it; and whether every page
//! is in the book's table of contents. Links to other hosts are not asked for.

use super::page::Page;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Pages outside of the book whose links are looked at too.
const BESIDE: [&str; 6] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/llms.txt",
    "examples/README.md",
];
/// Whose `runbook_url` leads to a page, and what stands before that until somebody says where it is.
const ALERTS: &str = "deploy/prometheus/rules.yml";
const REPOSITORY: &str = "https://code.example.org/orderd/blob/main/";
const CONTENTS: &str = "docs/SUMMARY.md";

/// What leads nowhere.
pub(super) fn check(root: &Path, pages: &[Page]) -> Result<Vec<String>> {
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for page in pages {
        texts.insert(page.path.clone().into(), page.text.clone());
    }
    for name in BESIDE {
        texts.insert(name.into(), fs::read_to_string(root.join(name))?);
    }
    let mut faults = Vec::new();
    for (path, text) in &texts {
        for (line, link) in links(text) {
            if let Err(why) = leads(root, path, &link, &texts) {
                let path = path.display();
                faults.push(format!("{path}:{line}: {link} leads nowhere: {why}"));
            }
        }
    }
    let alerts = fs::read_to_string(root.join(ALERTS))?;
    let pages = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook_url: "));
    for page in pages {
        let page = page.strip_prefix(REPOSITORY).unwrap_or(page);
        if let Err(why) = leads(root, Path::new("README.md"), page, &texts) {
            faults.push(format!("{ALERTS}: {page} leads nowhere: {why}"));
        }
    }
    let contents = texts
        .get(Path::new(CONTENTS))
        .context("the book has contents")?;
    let named: Vec<PathBuf> = links(contents)
        .iter()
        .map(|(_, link)| normal(&Path::new("docs").join(link)))
        .collect();
    for path in texts
        .keys()
        .filter(|it| it.starts_with("docs") && it.extension().is_some_and(|it| it == "md"))
    {
        if path != Path::new(CONTENTS) && !named.contains(path) {
            faults.push(format!("{}: not in {CONTENTS}", path.display()));
        }
    }
    Ok(faults)
}

fn leads(
    root: &Path,
    from: &Path,
    link: &str,
    texts: &BTreeMap<PathBuf, String>,
) -> Result<(), String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        from.to_owned()
    } else {
        normal(&from.parent().unwrap_or(Path::new("")).join(file))
    };
    if !root.join(&target).exists() {
        return Err("there is no such file".to_owned());
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let read = || fs::read_to_string(root.join(&target)).unwrap_or_default();
    let text = texts.get(&target).cloned().unwrap_or_else(read);
    if anchors(&text).iter().any(|it| it == anchor) {
        return Ok(());
    }
    Err(format!("{} has no such heading", target.display()))
}

/// The links of a page to its own repository, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((link, more)) = after.split_once(')') else {
                break;
            };
            rest = more;
            links.push((number, link.split(' ').next().unwrap_or_default()));
        }
        links.extend(pictures(line).into_iter().map(|link| (number, link)));
    }
    let is_ours = |it: &str| !it.is_empty() && !it.contains("://") && !it.starts_with("mailto:");
    links.retain(|(_, link)| is_ours(link));
    let owned = links.into_iter();
    owned
        .map(|(number, link)| (number, link.to_owned()))
        .collect()
}

/// What a line of HTML shows: the one of `src`, and each of `srcset`.
fn pictures(line: &str) -> Vec<&str> {
    let mut pictures = Vec::new();
    for attribute in ["src=\"", "srcset=\""] {
        for after in line.split(attribute).skip(1) {
            let value = after.split('"').next().unwrap_or_default();
            let each = value
                .split(',')
                .filter_map(|it| it.split_whitespace().next());
            pictures.extend(each);
        }
    }
    pictures
}

/// What headings are called in links: as GitHub and mdBook name them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let named = |it: char| match it {
            ' ' => Some('-'),
            '-' | '_' => Some(it),
            it => it.is_alphanumeric().then(|| it.to_ascii_lowercase()),
        };
        let plain: String = heading.trim().chars().filter_map(named).collect();
        let again = anchors.iter().filter(|it| **it == plain).count();
        let suffix = if again == 0 {
            String::new()
        } else {
            format!("-{again}")
        };
        anchors.push(plain + &suffix);
    }
    anchors
}

/// The lines that are not in a fenced block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((number + 1, line))
    })
}

/// A path without `.` and `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_named_as_links_name_them() {
        let text = "# What it `is`, now\n## A\n```\n# no\n```\n## A\n";
        assert_eq!(anchors(text), ["what-it-is-now", "a", "a-1"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_seen() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("there.md"), "# One\n").unwrap();
        let leads = |link| leads(root.path(), Path::new("a.md"), link, &BTreeMap::new()).is_ok();
        assert!(leads("there.md") && leads("there.md#one") && leads("./there.md"));
        assert!(!leads("gone.md") && !leads("there.md#two"));
        let text = "[a](b.md) [c](https://d) [e](#f)\n```\n[g](h)\n```\n\
            <source srcset=\"i.png, j.png 2x\"><img src=\"k.png\" alt=\"l\">\n";
        let found: Vec<String> = links(text).into_iter().map(|(_, link)| link).collect();
        assert_eq!(found, ["b.md", "#f", "k.png", "i.png", "j.png"]);
    }
}
