//! Root-mean-square norm: y = x / sqrt(mean(x²) + eps) * weight (Zhang & Sennrich 2019).

use super::level::{fma, simd_fn};
use super::parallel::rows_per_task;
use super::team::each;

const LANES: usize = 16;

/// Sum of products of three factors, in a fixed order of lanes.
#[inline(always)]
fn sum3<const FMA: bool>(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let n = a.len();
    let (b, c) = (&b[..n], &c[..n]);
    let mut lanes = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for j in 0..LANES {
            lanes[j] = fma::<FMA>(a[i + j] * b[i + j], c[i + j], lanes[j]);
        }
    }
    let mut sum: f32 = lanes.iter().sum();
    for i in whole..n {
        sum = fma::<FMA>(a[i] * b[i], c[i], sum);
    }
    sum
}

/// Sum of squares.
#[inline(always)]
fn squares<const FMA: bool>(a: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = a.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for j in 0..LANES {
            lanes[j] = fma::<FMA>(chunk[j], chunk[j], lanes[j]);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>()
}

simd_fn! {
    fn forward_rows(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse: &mut [f32]) {
        let width = weight.len();
        for ((x, y), inverse) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inverse) {
            *inverse = 1.0 / (squares::<FMA>(x) / width as f32 + eps).sqrt();
            for i in 0..width {
                y[i] = x[i] * *inverse * weight[i];
            }
        }
    }
}

simd_fn! {
    fn apply_rows(x: &[f32], weight: &[f32], inverse: &[f32], y: &mut [f32]) {
        let width = weight.len();
        for ((x, y), inverse) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inverse) {
            for i in 0..width {
                y[i] = x[i] * *inverse * weight[i];
            }
        }
    }
}

simd_fn! {
    fn backward_rows(x: &[f32], weight: &[f32], inverse: &[f32], dy: &[f32], dx: &mut [f32]) {
        let width = weight.len();
        for (((x, dx), dy), inverse) in
            x.chunks_exact(width).zip(dx.chunks_exact_mut(width)).zip(dy.chunks_exact(width)).zip(inverse)
        {
            let s = *inverse;
            let c = sum3::<FMA>(x, dy, weight) * s * s * s / width as f32;
            for i in 0..width {
                dx[i] += s * weight[i] * dy[i] - c * x[i];
            }
        }
    }
}

simd_fn! {
    /// The norm of each head in place, over `heads` heads that begin at the front of `row`; `inverse` gets one factor a head.
    pub(crate) fn heads_in_place(row: &mut [f32], weight: &[f32], eps: f32, inverse: &mut [f32]) {
        let width = weight.len();
        for (x, inverse) in row.chunks_exact_mut(width).zip(inverse) {
            *inverse = 1.0 / (squares::<FMA>(x) / width as f32 + eps).sqrt();
            for i in 0..width {
                x[i] = x[i] * *inverse * weight[i];
            }
        }
    }
}

simd_fn! {
    /// Backward of [`heads_in_place`]: `d` holds the gradient of the normalised heads and gets that of the raw heads `x`.
    pub(crate) fn heads_backward(x: &[f32], weight: &[f32], inverse: &[f32], d: &mut [f32]) {
        let width = weight.len();
        for ((x, d), inverse) in x.chunks_exact(width).zip(d.chunks_exact_mut(width)).zip(inverse) {
            let s = *inverse;
            let c = sum3::<FMA>(x, d, weight) * s * s * s / width as f32;
            for i in 0..width {
                d[i] = s * weight[i] * d[i] - c * x[i];
            }
        }
    }
}

/// `y = norm(x)` for rows of `weight.len()`; `inverse[row]` = 1 / sqrt(mean(x²) + eps), needed by the backward.
pub(crate) fn forward(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse: &mut [f32]) {
    let (width, task) = (weight.len(), rows_per_task(inverse.len()));
    if task >= inverse.len() {
        forward_rows(x, weight, eps, y, inverse);
        return;
    }
    let parts = x.chunks(task * width).zip(y.chunks_mut(task * width)).zip(inverse.chunks_mut(task));
    each(parts, |((x, y), inverse)| forward_rows(x, weight, eps, y, inverse));
}

/// [`forward`] again from the saved factors, for a backward pass that did not keep `y`.
pub(crate) fn again(x: &[f32], weight: &[f32], inverse: &[f32], y: &mut [f32]) {
    let (width, task) = (weight.len(), rows_per_task(inverse.len()));
    let parts = x.chunks(task * width).zip(y.chunks_mut(task * width)).zip(inverse.chunks(task));
    each(parts, |((x, y), inverse)| apply_rows(x, weight, inverse, y));
}

/// Adds the gradient through the norm to `dx`.
pub(crate) fn backward(x: &[f32], weight: &[f32], inverse: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (width, task) = (weight.len(), rows_per_task(inverse.len()));
    let parts = x
        .chunks(task * width)
        .zip(dx.chunks_mut(task * width))
        .zip(dy.chunks(task * width))
        .zip(inverse.chunks(task));
    each(parts, |(((x, dx), dy), inverse)| backward_rows(x, weight, inverse, dy, dx));
}
