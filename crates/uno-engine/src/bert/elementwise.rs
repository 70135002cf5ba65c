//! GELU and layer norm.

use crate::kernel::level::{fma, simd_fn};

/// The error function, to 5e-7 absolute: the rational approximation of Eigen's and XLA's `erf`, whose value at ±4 is ±1 in
/// `f32`.
#[inline(always)]
fn erf<const FMA: bool>(x: f32) -> f32 {
    const ODD: [f32; 7] = [
        -2.726_142e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const EVEN: [f32; 5] =
        [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let (mut odd, mut even) = (ODD[0], EVEN[0]);
    for c in &ODD[1..] {
        odd = fma::<FMA>(odd, square, *c);
    }
    for c in &EVEN[1..] {
        even = fma::<FMA>(even, square, *c);
    }
    x * odd / even
}

simd_fn! {
    /// `x = gelu(x + bias)` for rows of `bias.len()`; gelu(v) = v/2 (1 + erf(v/√2)), the exact form.
    pub(super) fn add_gelu(x: &mut [f32], bias: &[f32]) {
        let width = bias.len();
        for row in x.chunks_exact_mut(width) {
            for i in 0..width {
                let v = row[i] + bias[i];
                row[i] = 0.5 * v * (1.0 + erf::<FMA>(v * std::f32::consts::FRAC_1_SQRT_2));
            }
        }
    }
}

const LANES: usize = 16;

/// Sum of `row - mean`, or of its square. Inlined, so that it is compiled for the instructions of its caller.
#[inline(always)]
fn lanes_sum(row: &[f32], mean: f32, square: bool) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut rest = 0.0;
    for &v in chunks.remainder() {
        let d = v - mean;
        rest += if square { d * d } else { d };
    }
    for chunk in chunks {
        for j in 0..LANES {
            let d = chunk[j] - mean;
            lanes[j] += if square { d * d } else { d };
        }
    }
    let mut sum = 0.0;
    for lane in lanes {
        sum += lane;
    }
    sum + rest
}

simd_fn! {
    /// Layer norm of each row in place: `(x - mean) / sqrt(variance + eps) * gain + offset`.
    pub(super) fn layer_norm(x: &mut [f32], gain: &[f32], offset: &[f32], eps: f32) {
        let width = gain.len();
        let offset = &offset[..width];
        for row in x.chunks_exact_mut(width) {
            let mean = lanes_sum(row, 0.0, false) / width as f32;
            let variance = lanes_sum(row, mean, true) / width as f32;
            let scale = 1.0 / (variance + eps).sqrt();
            for i in 0..width {
                row[i] = fma::<FMA>((row[i] - mean) * scale, gain[i], offset[i]);
            }
        }
    }
}

simd_fn! {
    /// `x += bias + residual`, row by row.
    pub(super) fn add_bias_residual(x: &mut [f32], bias: &[f32], residual: &[f32]) {
        let width = bias.len();
        for (row, residual) in x.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
            for i in 0..width {
                row[i] += bias[i] + residual[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maclaurin series in f64: converges everywhere, exact to 1e-9 for |x| <= 4.
    fn reference(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn erf_is_right_to_float_precision() {
        for i in -4500..4500 {
            let x = i as f32 * 1e-3;
            let expected = if x.abs() > 4.0 { f64::from(x.signum()) } else { reference(f64::from(x)) };
            for got in [erf::<true>(x), erf::<false>(x)] {
                assert!((f64::from(got) - expected).abs() < 5e-7, "erf({x}) = {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn layer_norm_has_mean_zero_and_variance_one() {
        let width = 37;
        let mut x: Vec<f32> = (0..3 * width).map(|i| ((i * 7919) % 101) as f32 * 0.3 - 4.0).collect();
        layer_norm(&mut x, &vec![1.0; width], &vec![0.0; width], 1e-12);
        for row in x.chunks_exact(width) {
            let mean = row.iter().sum::<f32>() / width as f32;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / width as f32;
            assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
        }
    }
}
