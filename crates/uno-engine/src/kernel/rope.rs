//! Rotary position embedding (Su et al. 2021), half-rotation layout: element i turns with element i + rotary/2.

use super::level::simd_fn;
use super::parallel::rows_per_task;
use super::team::each;
use crate::config::{ModelConfig, RopeScaling};

/// Angle per position of each rotating pair, scaled as the configuration says; computed in f32 as transformers does.
#[derive(Debug, Clone)]
pub(crate) struct Frequencies {
    of: Vec<f32>,
    /// Factor of cosines and sines.
    amplitude: f32,
}

/// Cosines and sines of the rows of one pass, [rows, rotary/2] each.
#[derive(Debug, Default)]
pub(crate) struct Angles {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
    half: usize,
}

impl Frequencies {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let dims = config.rotary_dim();
        let base = |i: usize| 1.0 / config.rope.theta.powf((2 * i) as f32 / dims as f32);
        let scaled = |i: usize, frequency: f32| match &config.rope.scaling {
            None => frequency,
            Some(RopeScaling::Linear { factor }) => frequency / factor,
            Some(RopeScaling::LongRope { divisors, .. }) => {
                frequency / divisors.get(i).copied().unwrap_or(1.0)
            }
            &Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_positions,
            }) => {
                let original = original_max_positions as f32;
                let wavelength = 2.0 * std::f32::consts::PI / frequency;
                if wavelength > original / low_freq_factor {
                    frequency / factor
                } else if wavelength < original / high_freq_factor {
                    frequency
                } else {
                    let smooth =
                        (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        };
        let amplitude = match config.rope.scaling {
            Some(RopeScaling::LongRope { attention, .. }) => attention,
            _ => 1.0,
        };
        Frequencies { of: (0..dims / 2).map(|i| scaled(i, base(i))).collect(), amplitude }
    }

    /// The angles of rows at the given positions.
    pub(crate) fn angles(&self, positions: &[usize]) -> Angles {
        let half = self.of.len();
        let angle = |p: &usize| self.of.iter().map(move |f| f64::from(*p as f32 * f)).collect::<Vec<f64>>();
        let all: Vec<f64> = positions.iter().flat_map(angle).collect();
        Angles {
            cos: all.iter().map(|a| a.cos() as f32 * self.amplitude).collect(),
            sin: all.iter().map(|a| a.sin() as f32 * self.amplitude).collect(),
            half,
        }
    }
}

simd_fn! {
    /// `sign` 1 rotates forward, -1 back.
    fn rotate_row(heads: &mut [f32], head_dim: usize, cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        let sin = &sin[..half];
        for head in heads.chunks_exact_mut(head_dim) {
            let (low, rest) = head.split_at_mut(half);
            let high = &mut rest[..half];
            for i in 0..half {
                let (a, b) = (low[i], high[i]);
                low[i] = a * cos[i] - sign * b * sin[i];
                high[i] = b * cos[i] + sign * a * sin[i];
            }
        }
    }
}

/// Rotates the first `width` elements (whole heads) of each row of `x`, rows `stride` apart.
pub(crate) fn rotate(
    x: &mut [f32],
    stride: usize,
    width: usize,
    head_dim: usize,
    angles: &Angles,
    sign: f32,
) {
    let half = angles.half;
    let rows = angles.cos.len() / half;
    let one = |row: usize, x: &mut [f32]| {
        let at = row * half..(row + 1) * half;
        rotate_row(&mut x[..width], head_dim, &angles.cos[at.clone()], &angles.sin[at], sign);
    };
    let task = rows_per_task(rows);
    if task >= rows {
        x.chunks_exact_mut(stride).enumerate().for_each(|(row, x)| one(row, x));
    } else {
        each(x.chunks_mut(stride * task).enumerate(), |(block, x)| {
            x.chunks_exact_mut(stride).enumerate().for_each(|(row, x)| one(block * task + row, x));
        });
    }
}
