//! Attention of one token over cached keys and values, for the query heads that share one key/value head.
//!
//! Positions are summed one after another however they are cut into parts, so that sharing a prefix changes no bit.

use super::level::{fma, simd_fn};
use super::matrix::{Mat, MatMut};
use super::product::{Into, Threads};
use super::skinny;
use super::softmax::softmax;

/// A run of cached positions of one key/value head, [positions, head_dim] each.
#[derive(Clone, Copy)]
pub(crate) struct Cached<'a> {
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// Columns that are summed in registers at a time.
const BLOCK: usize = 64;

simd_fn! {
    /// `out += weights · values` for two heads at once, so that each value is loaded once for both.
    fn weighted_pair(w0: &[f32], w1: &[f32], values: &[f32], head_dim: usize, out0: &mut [f32], out1: &mut [f32]) {
        let whole = head_dim / BLOCK * BLOCK;
        for c in (0..whole).step_by(BLOCK) {
            let (mut a, mut b) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
            a.copy_from_slice(&out0[c..c + BLOCK]);
            b.copy_from_slice(&out1[c..c + BLOCK]);
            for ((row, p), q) in values.chunks_exact(head_dim).zip(w0).zip(w1) {
                let row = &row[c..c + BLOCK];
                for i in 0..BLOCK {
                    a[i] = fma::<FMA>(*p, row[i], a[i]);
                    b[i] = fma::<FMA>(*q, row[i], b[i]);
                }
            }
            out0[c..c + BLOCK].copy_from_slice(&a);
            out1[c..c + BLOCK].copy_from_slice(&b);
        }
        for ((row, p), q) in values.chunks_exact(head_dim).zip(w0).zip(w1) {
            for i in whole..head_dim {
                out0[i] = fma::<FMA>(*p, row[i], out0[i]);
                out1[i] = fma::<FMA>(*q, row[i], out1[i]);
            }
        }
    }
}

simd_fn! {
    /// `out += weights · values` for one head.
    fn weighted(w: &[f32], values: &[f32], head_dim: usize, out: &mut [f32]) {
        let whole = head_dim / BLOCK * BLOCK;
        for c in (0..whole).step_by(BLOCK) {
            let mut a = [0.0f32; BLOCK];
            a.copy_from_slice(&out[c..c + BLOCK]);
            for (row, p) in values.chunks_exact(head_dim).zip(w) {
                let row = &row[c..c + BLOCK];
                for i in 0..BLOCK {
                    a[i] = fma::<FMA>(*p, row[i], a[i]);
                }
            }
            out[c..c + BLOCK].copy_from_slice(&a);
        }
        for (row, p) in values.chunks_exact(head_dim).zip(w) {
            for i in whole..head_dim {
                out[i] = fma::<FMA>(*p, row[i], out[i]);
            }
        }
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
    let heads = q.len() / head_dim;
    let positions: usize = parts.iter().map(|p| p.keys.len() / head_dim).sum();
    scores.resize(heads * positions, 0.0);
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut at = 0;
    for part in parts {
        let n = part.keys.len() / head_dim;
        if n == 0 {
            continue;
        }
        let mut view = MatMut::strided(&mut scores[at..], heads, n, positions);
        let keys = Mat::dense(part.keys, n, head_dim);
        skinny::product(&mut view, Into::Set, Mat::dense(q, heads, head_dim), keys, scale, Threads::One);
        at += n;
    }
    scores.chunks_exact_mut(positions).for_each(softmax);
    out.fill(0.0);
    let mut at = 0;
    for part in parts {
        let n = part.values.len() / head_dim;
        let weights = |head: usize| &scores[head * positions + at..head * positions + at + n];
        let mut pairs = out.chunks_exact_mut(2 * head_dim);
        for (i, pair) in (&mut pairs).enumerate() {
            let (first, second) = pair.split_at_mut(head_dim);
            weighted_pair(weights(2 * i), weights(2 * i + 1), part.values, head_dim, first, second);
        }
        let last = pairs.into_remainder();
        if !last.is_empty() {
            weighted(weights(heads - 1), part.values, head_dim, last);
        }
        at += n;
    }
}
