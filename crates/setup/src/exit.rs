//! How the program ends: an error that carries its exit code.
//!
//! An error without a code is exit 1. The message says what, why and how to mend it, a line each.

use std::fmt;
use std::process::ExitCode;
use store::OpenError;

/// What the exit codes of orderd mean; 0 is success and 2, usage, is clap's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It failed.
    Failed = 1,
    /// The configuration cannot be used.
    Configuration = 3,
    /// Something could not be bound, opened or reached.
    Unreachable = 4,
    /// A check found problems.
    Problems = 5,
    /// Not now: try later.
    Later = 75,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
pub struct Exit {
    /// The code.
    pub code: Code,
    /// What, why, fix: a line each.
    pub message: String,
}

impl Exit {
    /// An error in three sentences: what went wrong, why, and what to do about it.
    pub fn new(code: Code, what: &str, why: impl fmt::Display, fix: &str) -> Self {
        let why = sentence(&why.to_string());
        Self {
            code,
            message: format!("{what}\nWhy: {why}\nFix: {fix}"),
        }
    }
}

impl Exit {
    /// An error of a build that knows no AWS.
    #[must_use]
    pub fn without_aws(what: &str) -> Self {
        let why = "this orderd was built without the feature `aws`";
        let fix = "cargo build --release --features aws, or take a released binary.";
        Self::new(Code::Configuration, what, why, fix)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Exit {}

impl From<OpenError> for Exit {
    fn from(error: OpenError) -> Self {
        let code = match error {
            OpenError::Url(_) | OpenError::Newer(_) => Code::Configuration,
            OpenError::Inaccessible(_) | OpenError::Owned(_) => Code::Unreachable,
            OpenError::Damaged(_) => Code::Problems,
        };
        Self {
            code,
            message: ended(&error.to_string()),
        }
    }
}

/// The message with its reason ended as [`sentence`] does.
fn ended(message: &str) -> String {
    let lines = message.lines().map(|line| {
        line.strip_prefix("Why: ")
            .map_or_else(|| line.to_owned(), |why| format!("Why: {}", sentence(why)))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A reason, ended by one full stop, whoever has worded it: some reasons are those of a library.
#[must_use]
pub fn sentence(why: &str) -> String {
    let why = why.trim_end();
    if why.ends_with(['?', '!']) {
        return why.to_owned();
    }
    format!("{}.", why.trim_end_matches('.'))
}

/// The exit code of `error`, after telling the user what it says.
#[must_use]
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("{}", anstyled(&format!("{error:#}")));
    error
        .downcast_ref::<Exit>()
        .map_or(Code::Failed, |exit| exit.code)
        .into()
}

/// The message with its lines' first words marked, where someone looks at a terminal.
fn anstyled(message: &str) -> String {
    use std::io::IsTerminal;
    if !std::io::stderr().is_terminal() {
        return format!("error: {message}");
    }
    let marked = message
        .replace("\nWhy: ", "\n  \x1b[1mWhy\x1b[0m  ")
        .replace("\nFix: ", "\n  \x1b[1;32mFix\x1b[0m  ");
    format!("\x1b[1;31merror\x1b[0m {marked}")
}

#[cfg(test)]
mod tests;
