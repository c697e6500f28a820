//! The request's own number: from a small generator, so that no request asks the host for randomness.

use super::host;
use core::cell::RefCell;
use core::convert::Infallible;
use rand_core::{Rng as _, SeedableRng, TryRng};

/// The numbers of one configuration's requests. Seeded at the first.
#[derive(Debug, Default)]
pub struct Random(RefCell<Option<Xoshiro256>>);

impl Random {
    /// The next number.
    pub fn next(&self) -> u128 {
        // Borrowed for these lines only, and nothing in them calls back.
        let Ok(mut generator) = self.0.try_borrow_mut() else {
            return 0;
        };
        let generator = generator.get_or_insert_with(seeded);
        (u128::from(generator.next_u64()) << 64) | u128::from(generator.next_u64())
    }
}

/// From the host's randomness; from its clock, should it not give any.
fn seeded() -> Xoshiro256 {
    let mut seed = [0; 32];
    match getrandom::fill(&mut seed) {
        Ok(()) => Xoshiro256::from_seed(seed),
        Err(_) => Xoshiro256::seed_from_u64(host::time().unwrap_or_default()),
    }
}

/// xoshiro256++ 1.0 of Blackman and Vigna: small, fast, equal numbers on every platform. Nobody's secret rests on it.
#[derive(Debug)]
struct Xoshiro256([u64; 4]);

impl SeedableRng for Xoshiro256 {
    type Seed = [u8; 32];

    fn from_seed(seed: [u8; 32]) -> Self {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        // All zeros would stay so.
        if state == [0; 4] { Self::seed_from_u64(0) } else { Self(state) }
    }
}

impl TryRng for Xoshiro256 {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [_, _, _, _, bytes @ ..] = self.try_next_u64()?.to_le_bytes();
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [a, b, c, d] = &mut self.0;
        let number = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        Ok(number)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        rand_core::utils::fill_bytes_via_next_word(to, || self.try_next_u64())
    }
}
