//! What the kernels' tests share.

use super::level::{Level, level};

/// The levels that this machine runs.
pub(crate) fn levels() -> impl Iterator<Item = Level> {
    let best = level();
    [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(move |l| match l {
        Level::Portable => true,
        Level::Avx2 => best != Level::Portable,
        Level::Avx512 => best == Level::Avx512,
    })
}

/// Numbers in [-1, 1), the same for the same seed.
pub(crate) fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut s = seed;
    (0..n)
        .map(|_| {
            s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (s >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}
