//! Clipping by the norm of all gradients together.

use rayon::prelude::*;

/// Elements per partial sum: fixed, so that the result does not depend on the number of threads.
const CHUNK: usize = 1 << 16;

/// √Σg², summed in f64 in an order that threads cannot change.
pub fn global_norm(gradients: &[f32]) -> f64 {
    let partial: Vec<f64> = gradients.par_chunks(CHUNK).map(sum_of_squares).collect();
    partial.iter().sum::<f64>().sqrt()
}

/// Eight running sums, so that the compiler can keep them in vector registers.
fn sum_of_squares(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>()
}

/// What gradients are multiplied with so that their norm is at most `max_norm` (torch's `clip_grad_norm_`, which adds
/// 1e-6 to the norm).
pub fn clip_factor(norm: f64, max_norm: f64) -> f32 {
    (max_norm / (norm + 1e-6)).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_runs_over_all_chunks() {
        assert_eq!(global_norm(&[3.0, 4.0]), 5.0);
        let ones = vec![1.0f32; 3 * CHUNK + 5];
        assert!((global_norm(&ones) - ((3 * CHUNK + 5) as f64).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn small_gradients_are_left_alone() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert!((f64::from(clip_factor(4.0, 1.0)) - 0.25).abs() < 1e-6);
    }
}
