//! Planted bugs, so that the harnesses can show that they would catch a real one.
//!
//! Only a build with the feature `mutants` has them, and there only the one that the environment
//! variable `ORDERD_MUTANT` names.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Commits are not waited for until they are on the disk.
    SynchronousNormal,
    /// The answer leaves before the commit.
    AnswerBeforeCommit,
    /// Each write set has a transaction of its own: no bug, but what groups are measured against.
    OneByOne,
    /// The key is written in a transaction of its own.
    SplitTransaction,
    /// Keys that the open group has taken count as free.
    CheckThenInsert,
    /// What was read for the cache is kept though it changed meanwhile.
    FillRegardless,
    /// The answer leaves before what it changed is outdated in the cache.
    AnswerBeforeOutdating,
    /// A new connection to Redis trusts what was kept before.
    OneEra,
}

/// Whether this bug is planted.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn planted(_: Mutant) -> bool {
    false
}

/// Whether this bug is planted.
#[cfg(feature = "mutants")]
#[expect(
    clippy::disallowed_methods,
    reason = "a test build's switch is no configuration"
)]
pub(crate) fn planted(mutant: Mutant) -> bool {
    use std::sync::LazyLock;
    static NAME: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ORDERD_MUTANT").ok());
    let name = match mutant {
        Mutant::SynchronousNormal => "synchronous-normal",
        Mutant::AnswerBeforeCommit => "answer-before-commit",
        Mutant::OneByOne => "one-by-one",
        Mutant::SplitTransaction => "split-transaction",
        Mutant::CheckThenInsert => "check-then-insert",
        Mutant::FillRegardless => "fill-regardless",
        Mutant::AnswerBeforeOutdating => "answer-before-outdating",
        Mutant::OneEra => "one-era",
    };
    NAME.as_deref() == Some(name)
}
