//! AdamW with decoupled weight decay, in place (Loshchilov & Hutter 2019; torch's formulation).

use rayon::prelude::*;

/// Elements a task handles at once; elements are independent, so the cut changes no result.
const CHUNK: usize = 1 << 15;

/// The optimiser's constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Share of a weight that goes per unit of learning rate, apart from the gradient.
    pub weight_decay: f64,
}

/// The optimiser, with the moments of every weight.
#[derive(Clone, Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// Moments of zero for `weights` weights.
    pub fn new(settings: AdamWSettings, weights: usize) -> Self {
        Self { settings, first: vec![0.0; weights], second: vec![0.0; weights] }
    }

    /// Decayed means of gradients and of squared gradients.
    pub fn moments(&self) -> [&[f32]; 2] {
        [&self.first, &self.second]
    }

    /// The moments, to be filled from a checkpoint.
    pub fn moments_mut(&mut self) -> [&mut [f32]; 2] {
        [&mut self.first, &mut self.second]
    }

    /// One update of all weights. `step` counts from 1; gradients are multiplied with `scale` (clipping) as they are read.
    pub fn update(&mut self, weights: &mut [f32], gradients: &[f32], scale: f32, lr: f64, step: u64) {
        let AdamWSettings { beta1, beta2, eps, weight_decay } = self.settings;
        let steps = step.min(i32::MAX as u64) as i32;
        let element = Element {
            scale,
            keep: (1.0 - lr * weight_decay) as f32,
            fresh1: (1.0 - beta1) as f32,
            keep2: beta2 as f32,
            fresh2: (1.0 - beta2) as f32,
            root_correction2: (1.0 - beta2.powi(steps)).sqrt() as f32,
            eps: eps as f32,
            rate: (lr / (1.0 - beta1.powi(steps))) as f32,
        };
        weights
            .par_chunks_mut(CHUNK)
            .zip(gradients.par_chunks(CHUNK))
            .zip(self.first.par_chunks_mut(CHUNK))
            .zip(self.second.par_chunks_mut(CHUNK))
            .for_each(|(((w, g), m), v)| element.update(w, g, m, v));
    }
}

/// The constants of one step, in the precision of the elements.
struct Element {
    scale: f32,
    keep: f32,
    fresh1: f32,
    keep2: f32,
    fresh2: f32,
    root_correction2: f32,
    eps: f32,
    rate: f32,
}

impl Element {
    fn update(&self, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        for (((w, g), m), v) in weights.iter_mut().zip(gradients).zip(first).zip(second) {
            let g = g * self.scale;
            *m += (g - *m) * self.fresh1;
            *v = *v * self.keep2 + g * g * self.fresh2;
            *w = *w * self.keep - self.rate * *m / (v.sqrt() / self.root_correction2 + self.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: AdamWSettings = AdamWSettings { beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.1 };

    #[test]
    fn first_step_moves_by_the_rate_against_the_sign() {
        let mut adam = AdamW::new(AdamWSettings { weight_decay: 0.0, ..SETTINGS }, 3);
        let mut weights = [1.0f32; 3];
        let gradients = [1e-3f32, -50.0, 0.0];
        adam.update(&mut weights, &gradients, 1.0, 0.1, 1);
        for (got, want) in weights.iter().zip([0.9f32, 1.1, 1.0]) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    }

    #[test]
    fn follows_the_formulas_in_f64() {
        let mut adam = AdamW::new(SETTINGS, 1);
        let mut weight = [0.5f32];
        let (mut w, mut m, mut v) = (0.5f64, 0.0f64, 0.0f64);
        for step in 1..=20u64 {
            let g = ((step as f64) * 1.7).sin();
            let lr = 0.01;
            adam.update(&mut weight, &[(g * 2.0) as f32], 0.5, lr, step);
            w *= 1.0 - lr * 0.1;
            m = 0.9 * m + 0.1 * g;
            v = 0.98 * v + 0.02 * g * g;
            let (mh, vh) = (m / (1.0 - 0.9f64.powi(step as i32)), v / (1.0 - 0.98f64.powi(step as i32)));
            w -= lr * mh / (vh.sqrt() + 1e-8);
            assert!((f64::from(weight[0]) - w).abs() < 1e-5, "step {step}: {} {w}", weight[0]);
        }
    }
}
