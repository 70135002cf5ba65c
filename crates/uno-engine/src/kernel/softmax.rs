//! Soft maximum of rows: in attention, and in the output head together with the log-probability of a target.

use super::exp::exp;
use super::level::{fma, simd_fn};

const LANES: usize = 16;

#[inline(always)]
fn maximum(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for j in 0..LANES {
            lanes[j] = if chunk[j] > lanes[j] { chunk[j] } else { lanes[j] };
        }
    }
    // By halves: sixteen comparisons one after the other would take longer than all before.
    let mut width = LANES / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] = if lanes[j + width] > lanes[j] { lanes[j + width] } else { lanes[j] };
        }
        width /= 2;
    }
    rest.iter().fold(lanes[0], |a, b| if *b > a { *b } else { a })
}

/// Replaces each x by exp(x - max); returns their sum.
#[inline(always)]
fn exponentials<const FMA: bool>(x: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for j in 0..LANES {
            chunk[j] = exp::<FMA>(chunk[j] - max);
            lanes[j] += chunk[j];
        }
    }
    let mut sum: f32 = lanes.iter().sum();
    for v in chunks.into_remainder() {
        *v = exp::<FMA>(*v - max);
        sum += *v;
    }
    sum
}

simd_fn! {
    /// Soft maximum of `x` in place.
    pub(crate) fn softmax(x: &mut [f32]) {
        let max = maximum(x);
        let inverse = 1.0 / exponentials::<FMA>(x, max);
        for v in x.iter_mut() {
            *v *= inverse;
        }
    }
}

simd_fn! {
    /// Log-probability of `target` under the logits `x`; with `keep`, `x` becomes the probabilities.
    pub(crate) fn log_probability(x: &mut [f32], target: usize, keep: bool) -> f32 {
        let max = maximum(x);
        let logit = x[target];
        let sum = exponentials::<FMA>(x, max);
        if keep {
            let inverse = 1.0 / sum;
            for v in x.iter_mut() {
                *v *= inverse;
            }
        }
        logit - max - sum.ln()
    }
}

simd_fn! {
    /// Backward of soft maximum followed by a scale: `d` (gradient of the probabilities `p`) becomes the gradient of the
    /// unscaled scores, `scale * p * (d - sum(p * d))`.
    pub(crate) fn softmax_backward(p: &[f32], d: &mut [f32], scale: f32) {
        let n = p.len().min(d.len());
        let (p, d) = (&p[..n], &mut d[..n]);
        let mut lanes = [0.0f32; LANES];
        let whole = n / LANES * LANES;
        for i in (0..whole).step_by(LANES) {
            for j in 0..LANES {
                lanes[j] = fma::<FMA>(p[i + j], d[i + j], lanes[j]);
            }
        }
        let mut sum: f32 = lanes.iter().sum();
        for i in whole..n {
            sum = fma::<FMA>(p[i], d[i], sum);
        }
        for i in 0..n {
            d[i] = scale * p[i] * (d[i] - sum);
        }
    }
}
