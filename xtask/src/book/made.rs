//! The book as pages for a browser, by mdBook: to `target/book`.
//!
//! It is made of a copy of `docs/`, in which a link to what is not in the book leads to the repository at
//! `ORDERD_REPOSITORY` (as `https://HOST/OWNER/NAME/blob/main`); where that is not said, it is only words.

use super::links::normal;
use super::page::Page;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use xtask::finish;
use xtask::tools::{below_target, output};

const VERSION: &str = "0.5.4";
/// What is beside the pages: for mdBook, and for programs that read.
const BESIDE: [&str; 3] = ["book.toml", "asyncapi.json", "openapi.json"];
/// The pages for programs that read, by its links to them.
const LIST: &str = "docs/llms.txt";
const PICTURES: &str = "docs/pictures";
/// What pages of the book have parts of.
const INCLUDED: &str = "examples";

/// Makes the book; says how long it took.
pub(super) fn book(root: &Path, pages: &[Page]) -> Result<Duration> {
    let mdbook = mdbook()?;
    let begun = Instant::now();
    let (source, book) = (below_target("book-source"), below_target("book"));
    for old in [&source, &book] {
        drop(fs::remove_dir_all(old));
    }
    copied(root, pages, &source)?;
    let mut build = Command::new(mdbook);
    build.arg("build").arg(source.join("docs"));
    output(build.arg("--dest-dir").arg(std::path::absolute(&book)?))?;
    for page in pages.iter().filter(|it| it.path.starts_with("docs/")) {
        let name = page.path.trim_start_matches("docs/");
        let name = as_html(name);
        if name != "SUMMARY.html" {
            let text = fs::read_to_string(book.join(&name)).context(name.clone())?;
            ensure!(!text.contains("{{#"), "{name}: something is not included");
        }
    }
    Ok(begun.elapsed())
}

/// The pages, with links that a reader of the book can follow.
fn copied(root: &Path, pages: &[Page], source: &Path) -> Result<()> {
    let repository = std::env::var_os("ORDERD_REPOSITORY").and_then(|it| it.into_string().ok());
    for page in pages.iter().filter(|it| it.path.starts_with("docs/")) {
        let path = source.join(&page.path);
        fs::create_dir_all(path.parent().context("it is in a directory")?)?;
        fs::write(path, readable(page, repository.as_deref()))?;
    }
    for name in BESIDE {
        let name = Path::new("docs").join(name);
        fs::copy(root.join(&name), source.join(&name))?;
    }
    let list = fs::read_to_string(root.join(LIST))?;
    fs::write(source.join(LIST), for_readers_of_html(&list))?;
    fs::create_dir_all(source.join(PICTURES))?;
    for picture in fs::read_dir(root.join(PICTURES))? {
        let picture = picture?;
        let to = source.join(PICTURES).join(picture.file_name());
        fs::copy(picture.path(), to)?;
    }
    let included = fs::canonicalize(root.join(INCLUDED))?;
    Ok(symlink(included, source.join(INCLUDED))?)
}

/// What mdBook makes of a page, by its name.
fn as_html(page: &str) -> String {
    let page = page.replace("README.md", "index.md");
    page.replace(".md", ".html")
}

/// A text whose links lead to what mdBook makes of pages.
fn for_readers_of_html(text: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, link, after)) = next_link(rest) {
        let is_ours = !link.contains("://");
        let link = if is_ours {
            as_html(link)
        } else {
            link.to_owned()
        };
        parts.push(format!("{before}]({link})"));
        rest = after;
    }
    parts.concat() + rest
}

/// A page whose links out of the book lead to the repository, or are words.
fn readable(page: &Page, repository: Option<&str>) -> String {
    let directory = Path::new(&page.path).parent().unwrap_or(Path::new(""));
    let mut parts = Vec::new();
    let mut rest = page.text.as_str();
    while let Some((before, link, after)) = next_link(rest) {
        let (file, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
        let target = normal(&directory.join(file));
        let is_outside =
            !link.contains("://") && !link.starts_with('#') && !target.starts_with("docs");
        let (words, start) = before
            .rsplit_once('[')
            .map_or(("", before), |(a, b)| (a, b));
        parts.push(match repository {
            Some(repository) if is_outside => {
                format!("{before}]({repository}/{}{anchor})", target.display())
            }
            None if is_outside => format!("{words}{start}"),
            _ => format!("{before}]({link})"),
        });
        rest = after;
    }
    parts.concat() + rest
}

/// What stands before the end of a link's words, where it leads, and what stands after it.
fn next_link(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("](")?;
    let (link, after) = rest.split_once(')')?;
    Some((before, link, after))
}

/// mdBook, compiled here if it is not there: without its server and its search, and as quickly as can be.
fn mdbook() -> Result<PathBuf> {
    let tools = below_target("tools");
    let mdbook = tools.join("bin/mdbook");
    let is_there = || {
        let said = output(Command::new(&mdbook).arg("--version"));
        said.is_ok_and(|it| it.trim().ends_with(VERSION))
    };
    if !is_there() {
        println!("Installing mdbook {VERSION}");
        let mut install = Command::new(env!("CARGO"));
        install.args(["install", "mdbook", "--version", VERSION, "--locked"]);
        install.args(["--quiet", "--debug", "--no-default-features", "--root"]);
        finish(install.arg(&tools))?;
    }
    Ok(mdbook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_book_leads_to_the_repository_or_is_words() {
        let text = "[a](b.md), [c](../../x/y.md#z) and [d](https://e).";
        let page = Page::read("docs/using/p.md".to_owned(), text);
        assert_eq!(
            readable(&page, Some("https://host/blob/main")),
            "[a](b.md), [c](https://host/blob/main/x/y.md#z) and [d](https://e)."
        );
        assert_eq!(readable(&page, None), "[a](b.md), c and [d](https://e).");
    }

    #[test]
    fn a_list_of_pages_leads_to_what_is_made_of_them() {
        let text = "[a](b/c.md#d), [e](f/README.md), [g](h.json), [i](https://j/k.md)";
        assert_eq!(
            for_readers_of_html(text),
            "[a](b/c.html#d), [e](f/index.html), [g](h.json), [i](https://j/k.md)"
        );
    }
}
