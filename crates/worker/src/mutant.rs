//! Planted bugs, so that the harnesses can show that they would catch a real one.
//!
//! Only a build with the feature `mutants` has them, and there only the one that the environment
//! variable `ORDERD_MUTANT` names.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Every try of a call has an effect id of its own.
    EffectIdATry,
    /// What was authorised is not let go of.
    NoVoid,
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
        Mutant::EffectIdATry => "effect-id-a-try",
        Mutant::NoVoid => "no-void",
    };
    NAME.as_deref() == Some(name)
}
