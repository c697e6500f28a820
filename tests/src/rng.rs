//! Random numbers that a seed repeats on every platform: `SplitMix64`.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for the part `number` of what a seed makes: parts do not move each other.
    pub fn of(seed: u64, number: usize) -> Self {
        let mut own = Self(seed ^ (number as u64).wrapping_mul(0xa076_1d64_78bd_642f));
        Self(own.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is not 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.number() % count as u64).unwrap_or_default()
    }

    /// True so many times of 100.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_parts_differ() {
        let draw = |mut rng: Rng| (0..4).map(|_| rng.below(1000)).collect::<Vec<_>>();
        assert_eq!(draw(Rng::of(7, 0)), draw(Rng::of(7, 0)));
        assert_ne!(draw(Rng::of(7, 0)), draw(Rng::of(7, 1)));
    }
}
