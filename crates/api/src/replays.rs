//! How often keys were replayed, for whoever looks a key up.
//!
//! Counted in memory, since the process started: to keep it would cost a write for every replay.

use domain::idempotency::Scope;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most keys that are counted. The next one starts all counts over.
const KEYS_MAX: usize = 65_536;

/// How often each key was replayed.
#[derive(Default)]
pub(crate) struct Replays {
    hasher: RandomState,
    /// By the hash of the scope: two keys in a count of one is no harm.
    counts: Mutex<HashMap<u64, u32>>,
}

impl Replays {
    /// Counts one replay.
    pub(crate) fn note(&self, scope: &Scope) {
        let mut counts = self.counts();
        if counts.len() >= KEYS_MAX {
            counts.clear();
        }
        let count = counts.entry(self.hasher.hash_one(scope)).or_default();
        *count = count.saturating_add(1);
    }

    /// How often the key of a scope was replayed.
    pub(crate) fn of(&self, scope: &Scope) -> u32 {
        let hash = self.hasher.hash_one(scope);
        self.counts().get(&hash).copied().unwrap_or_default()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
