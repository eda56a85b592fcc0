//! Numbers that look random and are the same on every run: for samples and demo data. Nothing
//! that anyone must not guess comes from here.

/// Turns a counter into a number that looks random (the finaliser of `SplitMix64`).
#[must_use]
pub const fn scatter(counter: u64) -> u64 {
    let mut word = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A run of such numbers.
#[derive(Clone, Debug)]
pub struct Scatter(u64);

impl Scatter {
    /// The run that belongs to this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(scatter(seed))
    }

    /// The next number below `bound`, which is not 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        scatter(self.0) % bound
    }

    /// One of `choices`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let count = u64::try_from(choices.len()).expect("a length fits 64 bits");
        let index = self.below(count);
        &choices[usize::try_from(index).expect("it is below a length")]
    }
}
