//! Attention of one token over cached keys and values, for the query heads that share one key/value head.
//!
//! Positions are summed one after another however they are cut into parts, so that sharing a prefix changes no bit.

use half::bf16;

use super::lanes::{Element, Lanes};
use super::level::{Level, level};
use super::matrix::{Mat, MatMut};
use super::skinny;
use super::softmax::softmax;

/// Cached numbers.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl Numbers<'_> {
    fn len(&self) -> usize {
        match self {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::Bf16(numbers) => numbers.len(),
        }
    }
}

/// A run of cached positions of one key/value head, [positions, head_dim] each.
#[derive(Clone, Copy)]
pub(crate) struct Cached<'a> {
    pub(crate) keys: Numbers<'a>,
    pub(crate) values: Numbers<'a>,
}

/// One run of positions for some heads.
struct Run<'a, E> {
    values: &'a [E],
    positions: usize,
    dim: usize,
    heads: usize,
    /// [heads, stride] from the run's first position.
    weights: *const f32,
    stride: usize,
}

/// `out[h] += weights[h] · values` for `H` heads from `head`: each value is loaded once for all of them.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "what closures call is not inlined under target features")]
unsafe fn weighted<L: Lanes, E: Element, const H: usize>(run: &Run<'_, E>, head: usize, out: &mut [f32]) {
    let dim = run.dim;
    let block = 4 * L::WIDTH;
    let whole = dim / block * block;
    // SAFETY: positions, heads and columns lie within the run.
    unsafe {
        let out = out.as_mut_ptr().add(head * dim);
        let weights = run.weights.add(head * run.stride);
        let values = run.values.as_ptr();
        let mut c = 0;
        while c < whole {
            let mut sums = [[L::zero(); 4]; H];
            for h in 0..H {
                for j in 0..4 {
                    sums[h][j] = L::load(out.add(h * dim + c + j * L::WIDTH));
                }
            }
            for p in 0..run.positions {
                let mut wide = [L::zero(); 4];
                for j in 0..4 {
                    wide[j] = E::load::<L>(values.add(p * dim + c + j * L::WIDTH));
                }
                for h in 0..H {
                    let weight = L::splat(*weights.add(h * run.stride + p));
                    for j in 0..4 {
                        sums[h][j] = weight.fma(wide[j], sums[h][j]);
                    }
                }
            }
            for h in 0..H {
                for j in 0..4 {
                    sums[h][j].store(out.add(h * dim + c + j * L::WIDTH));
                }
            }
            c += block;
        }
        for h in 0..H {
            for c in whole..dim {
                let to = out.add(h * dim + c);
                for p in 0..run.positions {
                    *to += *weights.add(h * run.stride + p) * (*values.add(p * dim + c)).number();
                }
            }
        }
    }
}

/// All heads, as many at a time as the registers hold.
#[inline(always)]
unsafe fn all_heads<L: Lanes, E: Element>(run: &Run<'_, E>, out: &mut [f32]) {
    let mut head = 0;
    while head < run.heads {
        let n = (run.heads - head).min(4);
        // SAFETY: the heads are the run's.
        unsafe {
            match n {
                1 => weighted::<L, E, 1>(run, head, out),
                2 => weighted::<L, E, 2>(run, head, out),
                3 => weighted::<L, E, 3>(run, head, out),
                _ => weighted::<L, E, 4>(run, head, out),
            }
        }
        head += n;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
fn all_heads_avx512<E: Element>(run: &Run<'_, E>, out: &mut [f32]) {
    // SAFETY: the features are enabled here.
    unsafe { all_heads::<std::arch::x86_64::__m512, E>(run, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn all_heads_avx2<E: Element>(run: &Run<'_, E>, out: &mut [f32]) {
    // SAFETY: the features are enabled here.
    unsafe { all_heads::<std::arch::x86_64::__m256, E>(run, out) }
}

/// Adds the run's weighted sum of values to `out` [heads, dim].
fn add_weighted<E: Element>(level: Level, run: &Run<'_, E>, out: &mut [f32]) {
    assert!(run.values.len() == run.positions * run.dim && out.len() == run.heads * run.dim);
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was detected on this machine.
        Level::Avx512 => unsafe { all_heads_avx512(run, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was detected on this machine.
        Level::Avx2 => unsafe { all_heads_avx2(run, out) },
        // SAFETY: the portable lanes need no instruction set.
        _ => unsafe { all_heads::<[f32; 8], E>(run, out) },
    }
}

/// `q` and `out`: [heads, head_dim]. Attends to every position of `parts`; `scores` is scratch.
pub(crate) fn attend(
    q: &[f32],
    parts: &[Cached<'_>],
    head_dim: usize,
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    attend_at(level(), q, parts, head_dim, out, scores);
}

fn attend_at(
    level: Level,
    q: &[f32],
    parts: &[Cached<'_>],
    dim: usize,
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let heads = q.len() / dim;
    let stride: usize = parts.iter().map(|p| p.keys.len() / dim).sum();
    scores.resize(heads * stride, 0.0);
    let q = Mat::dense(q, heads, dim);
    let scale = 1.0 / (dim as f32).sqrt();
    let mut at = 0;
    for part in parts {
        let positions = part.keys.len() / dim;
        let mut view = MatMut::strided(&mut scores[at..], heads, positions, stride);
        match part.keys {
            Numbers::F32(keys) => skinny::dots(level, &mut view, q, keys, scale),
            Numbers::Bf16(keys) => skinny::dots(level, &mut view, q, keys, scale),
        }
        at += positions;
    }
    scores.chunks_exact_mut(stride.max(1)).for_each(softmax);
    out.fill(0.0);
    let mut at = 0;
    for part in parts {
        let positions = part.values.len() / dim;
        let weights = scores[at..].as_ptr();
        match part.values {
            Numbers::F32(values) => {
                add_weighted(level, &Run { values, positions, dim, heads, weights, stride }, out);
            }
            Numbers::Bf16(values) => {
                add_weighted(level, &Run { values, positions, dim, heads, weights, stride }, out);
            }
        }
        at += positions;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{levels, noise};

    /// Every level and both kinds of numbers agree with f64, for odd sizes, in one part and in two, which give the same bits.
    #[test]
    fn attention_agrees_with_f64() {
        for (heads, positions, dim) in [(1, 1, 8), (3, 5, 64), (4, 9, 20), (7, 33, 96), (5, 12, 130)] {
            let q = noise(heads * dim, 1);
            let round = |v: Vec<f32>| v.into_iter().map(bf16::from_f32).collect::<Vec<_>>();
            let (keys, values) = (round(noise(positions * dim, 2)), round(noise(positions * dim, 3)));
            let wide = |v: &[bf16]| v.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
            let (k, v) = (wide(&keys), wide(&values));
            for level in levels() {
                let run = |parts: &[Cached<'_>]| {
                    let mut out = vec![f32::NAN; heads * dim];
                    attend_at(level, &q, parts, dim, &mut out, &mut Vec::new());
                    out
                };
                let half = run(&[Cached { keys: Numbers::Bf16(&keys), values: Numbers::Bf16(&values) }]);
                let full = |a: usize, b: usize| Cached {
                    keys: Numbers::F32(&k[a * dim..b * dim]),
                    values: Numbers::F32(&v[a * dim..b * dim]),
                };
                let one = run(&[full(0, positions)]);
                let middle = positions / 3;
                assert_eq!(run(&[full(0, middle), full(middle, positions)]), one, "{level:?}");
                for head in 0..heads {
                    let q = &q[head * dim..][..dim];
                    let score = |p: usize| -> f64 {
                        let dot: f64 = (0..dim).map(|t| f64::from(q[t]) * f64::from(k[p * dim + t])).sum();
                        (dot / (dim as f64).sqrt()).exp()
                    };
                    let total: f64 = (0..positions).map(score).sum();
                    for c in 0..dim {
                        let want: f64 =
                            (0..positions).map(|p| score(p) / total * f64::from(v[p * dim + c])).sum();
                        for got in [one[head * dim + c], half[head * dim + c]] {
                            assert!((f64::from(got) - want).abs() < 1e-5, "{level:?} {got} {want}");
                        }
                    }
                }
            }
        }
    }
}
