//! The order of the examples in each epoch.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A permutation of `0..n` that depends on `seed` and `epoch` only: not on threads, nor on what was drawn before, so a
/// run that resumes in the middle of an epoch finds the same order.
pub fn permutation(n: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(epoch as u64);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // The bias of a 64-bit remainder is below n / 2⁶⁴.
        let j = (rng.next_u64() % (i as u64 + 1)) as usize;
        order.swap(i, j);
    }
    order
}

/// Seed of the dropout masks of one forward pass, from the run's seed, the 0-based optimiser step and the micro-batch
/// within it. Nothing has to be stored to continue after a crash.
pub fn dropout_seed(seed: u64, step: u64, micro_batch: usize) -> u64 {
    mix(mix(mix(seed) ^ step) ^ micro_batch as u64)
}

/// The finaliser of SplitMix64: every input bit flips half of the output bits.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_permutation_and_repeats(n in 0usize..200, seed: u64, epoch in 0usize..20) {
            let order = permutation(n, seed, epoch);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            prop_assert_eq!(order, permutation(n, seed, epoch));
        }
    }

    #[test]
    fn is_pinned_and_differs_between_epochs() {
        assert_ne!(permutation(50, 42, 0), permutation(50, 42, 1));
        assert_ne!(permutation(50, 42, 0), permutation(50, 43, 0));
    }

    #[test]
    fn dropout_seeds_differ() {
        let mut seeds: Vec<u64> =
            (0..50).flat_map(|step| (0..8).map(move |micro| dropout_seed(42, step, micro))).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 400);
    }
}
