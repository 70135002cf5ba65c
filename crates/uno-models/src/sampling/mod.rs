//! Drawing the next token from a row of logits.
//!
//! A draw is a function of the logits, the [`Sampling`] settings and the step alone: the generator is ChaCha8 keyed by
//! the seed with the step as its stream, so a row gives the same text whatever else is in its batch.

mod exp;
mod nucleus;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use toktrie::SimpleVob;
use uno_types::Sampling;

/// A drawn token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The token.
    pub token: u32,
    /// Its log-probability under the model itself: before mask, temperature and top-p. Present when asked for.
    pub logprob: Option<f32>,
}

/// No token can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplingError {
    /// Every allowed logit is NaN or minus infinity.
    #[error("the model gave no finite logit for any allowed token; its weights or its adapter are damaged")]
    NoFiniteLogit,
    /// Temperature or top-p make no sense.
    #[error(
        "sampling needs a temperature of at least 0 and a top-p in (0, 1]; got {temperature} and {top_p}"
    )]
    Settings {
        /// As given, printed.
        temperature: Ordered,
        /// As given, printed.
        top_p: Ordered,
    },
}

/// An `f32` compared by its bits, so that errors can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered(u32);

impl std::fmt::Display for Ordered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f32::from_bits(self.0).fmt(f)
    }
}

/// Checks the settings once, before any work is done on them.
pub fn check(sampling: &Sampling) -> Result<(), SamplingError> {
    let Sampling { temperature, top_p, .. } = *sampling;
    if temperature.is_finite() && temperature >= 0.0 && top_p > 0.0 && top_p <= 1.0 {
        Ok(())
    } else {
        Err(SamplingError::Settings {
            temperature: Ordered(temperature.to_bits()),
            top_p: Ordered(top_p.to_bits()),
        })
    }
}

/// Draws one token from `logits` `[vocab]`.
///
/// `mask` holds the allowed tokens (all when absent); `step` counts the draws of this row from 0.
/// Greedy ties go to the lowest id.
pub fn draw(
    logits: &[f32],
    mask: Option<&SimpleVob>,
    sampling: &Sampling,
    step: u64,
    logprob: bool,
) -> Result<Draw, SamplingError> {
    let best = argmax(logits, mask).ok_or(SamplingError::NoFiniteLogit)?;
    // Below this the division would overflow, and nothing but the best token has any mass.
    let token = if sampling.temperature < 1e-5 {
        best
    } else {
        nucleus::draw(logits, mask, logits[best as usize], sampling, uniform(sampling.seed, step))
    };
    Ok(Draw { token, logprob: logprob.then(|| log_probability(logits, token)) })
}

/// Log-probability of `token` in the softmax of `logits` `[vocab]`.
pub fn log_probability(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().filter(|l| !l.is_nan()).fold(f32::NEG_INFINITY, f32::max);
    let sum = exp::sum_exp(logits, max, 1.0);
    (f64::from(logits[token as usize]) - f64::from(max) - sum.ln()) as f32
}

/// A number in [0, 1) that only seed and step decide.
fn uniform(seed: u64, step: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step);
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The allowed token of the largest logit, the lowest id among equals; `None` when no allowed logit is finite.
fn argmax(logits: &[f32], mask: Option<&SimpleVob>) -> Option<u32> {
    let mut best = f32::NEG_INFINITY;
    let mut index = None;
    let mut consider = |i: usize, logit: f32| {
        if logit > best && logit < f32::INFINITY {
            best = logit;
            index = Some(i as u32);
        }
    };
    match mask {
        None => logits.iter().enumerate().for_each(|(i, &logit)| consider(i, logit)),
        Some(mask) => mask.iter_set_entries(|i| {
            if let Some(&logit) = logits.get(i) {
                consider(i, logit);
            }
        }),
    }
    index
}

#[cfg(test)]
mod tests;
