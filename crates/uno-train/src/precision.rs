//! How far bf16 products take training from f32 on one's own pairs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uno_engine::{Decoder, LoraGrads};

use crate::config::TrainConfig;
use crate::data::{Example, Limits, TrainData};
use crate::error::TrainError;
use crate::numbers::TrainPrecision;
use crate::optim::cosine;
use crate::reference::measure;
use crate::run::initial;
use crate::run::stepper::{Item, StepReport, Stepper};

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionReport {
    /// What was compared with f32. On machines without bf16 products it is the same as f32.
    pub precision: TrainPrecision,
    /// Examples, each at the weights that f32 training had reached by then.
    pub pairs: usize,
    /// Cosine between the two gradients of a tensor, over all tensors and pairs: smallest, mean, and share below 0.999.
    pub cosine_min: f64,
    /// See `cosine_min`.
    pub cosine_mean: f64,
    /// See `cosine_min`.
    pub share_below_0_999: f64,
    /// The same for gradients summed over all pairs, as a full batch would be: smallest of all tensors.
    pub summed_cosine_min: f64,
    /// Sum of the DPO margins' absolute differences over the sum of their absolute values.
    pub margin_error: f64,
    /// Largest relative difference of a loss.
    pub loss_error_max: f64,
}

/// Trains one epoch in f32, one example a step, and computes each step's gradient in the settings' precision besides.
///
/// # Errors
/// As [`crate::train`], apart from files.
pub fn compare_precision(
    decoder: &Decoder,
    data: &TrainData,
    config: &TrainConfig,
) -> Result<PrecisionReport, TrainError> {
    let exact = TrainConfig { precision: TrainPrecision::F32, batch: 1, micro_batch: 1, ..config.clone() };
    let other = TrainConfig { precision: config.precision, ..exact.clone() };
    exact.validate()?;
    let (examples, _) = data.to_train_on(&exact, &Limits::of(decoder, &exact))?;
    let weights = initial(decoder, &exact)?;
    let mut totals = [LoraGrads::zeros_like(&weights), LoraGrads::zeros_like(&weights)];
    let mut steppers =
        [Stepper::new(decoder, &exact, weights.clone(), None), Stepper::new(decoder, &other, weights, None)];
    let mut tally = Tally::default();
    for (step, example) in (0u64..).zip(&examples) {
        let mut reports = [StepReport::default(); 2];
        for (stepper, report) in steppers.iter_mut().zip(&mut reports) {
            let item = match example {
                Example::Preference(pair) => {
                    Item::Preference(pair, measure(decoder, pair, &mut stepper.workspace)?)
                }
                Example::Completion(completion) => Item::Completion(completion),
            };
            *report = stepper.gradient(&[item], step)?;
        }
        tally.add(&steppers, &reports);
        for (total, stepper) in totals.iter_mut().zip(&steppers) {
            total.as_mut_slice().iter_mut().zip(stepper.gradients.as_slice()).for_each(|(t, g)| *t += g);
        }
        let [exact_stepper, other_stepper] = &mut steppers;
        exact_stepper.update(&reports[0], cosine(exact.lr, step, examples.len() as u64), step);
        Arc::make_mut(&mut other_stepper.weights)
            .as_mut_slice()
            .copy_from_slice(exact_stepper.weights.as_slice());
    }
    let [a, b] = &totals;
    Ok(tally.report(config.precision, examples.len(), cosines(a, b)))
}

/// Cosine per tensor; tensors without a gradient (A, while B is zero) are left out.
fn cosines(a: &LoraGrads, b: &LoraGrads) -> Vec<f64> {
    let tensors = a.tensors().zip(b.tensors());
    tensors.filter_map(|((.., a), (.., b))| cosine_of(a, b)).collect()
}

fn cosine_of(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    (lengths > 0.0).then(|| dot(a, b) / lengths)
}

#[derive(Default)]
struct Tally {
    cosines: Vec<f64>,
    margin_difference: f64,
    margin_sum: f64,
    loss_error_max: f64,
}

impl Tally {
    fn add(&mut self, steppers: &[Stepper<'_>; 2], reports: &[StepReport; 2]) {
        self.cosines.extend(cosines(&steppers[0].gradients, &steppers[1].gradients));
        let [exact, other] = reports;
        self.margin_difference += (exact.preferences.margin - other.preferences.margin).abs();
        self.margin_sum += exact.preferences.margin.abs();
        let loss_error = (exact.loss - other.loss).abs() / exact.loss.abs().max(f64::MIN_POSITIVE);
        self.loss_error_max = self.loss_error_max.max(loss_error);
    }

    fn report(self, precision: TrainPrecision, pairs: usize, summed: Vec<f64>) -> PrecisionReport {
        let n = self.cosines.len().max(1) as f64;
        let least = |all: &[f64]| all.iter().copied().fold(1.0, f64::min);
        PrecisionReport {
            precision,
            pairs,
            cosine_min: least(&self.cosines),
            cosine_mean: self.cosines.iter().sum::<f64>() / n,
            share_below_0_999: self.cosines.iter().filter(|c| **c < 0.999).count() as f64 / n,
            summed_cosine_min: least(&summed),
            margin_error: self.margin_difference / self.margin_sum.max(f64::MIN_POSITIVE),
            loss_error_max: self.loss_error_max,
        }
    }
}
