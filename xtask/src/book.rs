//! Whether README.md and docs/ say what is so: every command is run, every link leads somewhere, and the
//! book can be built.
//!
//! A fenced block is run if it says `console` (lines `$ command`, and under each what it prints) or `sh` (a
//! script, each command of which has to succeed). A page is run from its top to its end in a shell and a directory of its
//! own, in which the clone's entries are linked. What cannot run here says so in its first line, with the
//! reason: `console,not-run: needs Docker`. More such words are in `page`, and how output is compared in
//! `expect`.

mod expect;
mod links;
mod made;
mod page;
mod session;

use crate::compiled;
use anyhow::{Context, Result, ensure};
use page::{Block, Page};
use session::Session;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};
use xtask::tools::from_debian;

/// Pages at once: most of them wait for orders to be completed.
const LANES: usize = 3;

/// Runs the pages whose paths hold one of `words`, or all; then the links and the book as well.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    let begun = Instant::now();
    let is_wanted = |path: &str| words.is_empty() || words.iter().any(|it| path.contains(it));
    let pages = pages(root)?;
    let mut faults = Vec::new();
    let wanted: Vec<&Page> = pages.iter().filter(|it| is_wanted(&it.path)).collect();
    ensure!(!wanted.is_empty(), "no page has such a name");
    faults.extend(wanted.iter().flat_map(|page| page.faults.clone()));
    for (program, package) in [
        ("curl", "curl"),
        ("python3", "python3"),
        ("sqlite3", "sqlite3"),
    ] {
        from_debian(program, &[package])?;
    }
    let orderd = compiled::orderd(root)?;
    let ran = run_all(root, &orderd, &wanted);
    faults.extend(ran.iter().flat_map(|ran| ran.faults.clone()));
    report(&wanted, &ran);
    println!("commands: {:.1} s", begun.elapsed().as_secs_f64());
    if words.is_empty() {
        faults.extend(links::check(root, &pages)?);
        match made::book(root, &pages) {
            Ok(took) => println!("the book is built in {:.1} s", took.as_secs_f64()),
            Err(error) => faults.push(format!("the book cannot be built: {error:#}")),
        }
    }
    for fault in &faults {
        println!("\n{fault}");
    }
    ensure!(faults.is_empty(), "{} to mend", faults.len());
    Ok(())
}

/// What became of a page.
struct Ran {
    commands: usize,
    took: Duration,
    faults: Vec<String>,
}

/// Runs each page, some side by side.
fn run_all(root: &Path, orderd: &Path, pages: &[&Page]) -> Vec<Ran> {
    let next = Mutex::new(0..pages.len());
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let index = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(index) = index else { break };
                    let ran = run_page(root, orderd, pages[index]);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.insert(index, ran);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

fn run_page(root: &Path, orderd: &Path, page: &Page) -> Ran {
    let begun = Instant::now();
    let mut ran = Ran {
        commands: 0,
        took: Duration::ZERO,
        faults: Vec::new(),
    };
    if page.runs() {
        match Session::start(root, orderd) {
            Ok(mut session) => {
                for block in &page.blocks {
                    if let Err(fault) = run_block(&mut session, block, &mut ran.commands) {
                        ran.faults.push(format!("{}:{fault:#}", page.path));
                        // What follows may rest on what failed.
                        break;
                    }
                }
            }
            Err(error) => ran.faults.push(format!("{}: {error:#}", page.path)),
        }
    }
    ran.took = begun.elapsed();
    ran
}

fn run_block(session: &mut Session, block: &Block, commands: &mut usize) -> Result<()> {
    if block.not_run.is_some() {
        return Ok(());
    }
    if block.ends_servers {
        session.end_servers();
    }
    for step in &block.steps {
        *commands += 1;
        let failed = || format!("{}: $ {}", step.line, step.command);
        if block.is_server {
            session.serve(&step.command).with_context(failed)?;
        } else {
            session.run(step, block.fails).with_context(failed)?;
        }
    }
    Ok(())
}

/// How many commands each page has, and why some were not run.
fn report(pages: &[&Page], ran: &[Ran]) {
    let mut total = (0, 0);
    for (page, ran) in pages.iter().zip(ran) {
        let not_run = page.not_run();
        let count: usize = not_run.iter().map(|(count, _)| count).sum();
        total = (total.0 + ran.commands, total.1 + count);
        if ran.commands + count == 0 {
            continue;
        }
        let word = if ran.faults.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let seconds = ran.took.as_secs_f64();
        let (path, commands) = (&page.path, ran.commands);
        println!("{path:<42} {word:<7} {commands:>3} run {count:>3} not run {seconds:>6.1} s");
        for (count, why) in not_run {
            println!("{:<46} {count:>3} not run: {why}", "");
        }
    }
    println!("{} commands were run, {} were not", total.0, total.1);
}

/// README.md, and all of docs/.
fn pages(root: &Path) -> Result<Vec<Page>> {
    let mut paths = vec![root.join("README.md")];
    paths.extend(below(&root.join("docs"))?);
    let mut pages = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(root)?.display().to_string();
        pages.push(Page::read(name, &text));
    }
    Ok(pages)
}

/// Every page below a directory, sorted.
fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            pages.extend(below(&path)?);
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}
