//! What fewer bits do to a model: its name, its perplexity, and whether 8 bits are good enough for it.

use uno_engine::{Decoder, Packed, Precision, Products, Workspace};

use crate::ModelsError;
use crate::tokenizer::TextTokenizer;

/// Perplexities in 8 bits and in f32 that differ by more are another model's.
pub const MAX_PERPLEXITY_CHANGE: f64 = 0.01;

/// What [`check`] reads: plain text, code and Chinese, for a model may bear rounding in one and not in another.
const SAMPLE: &str = "The keeper of the bridge told the traveller that the river had been high since Monday, and that the \
    ferry would not run before the weekend. He asked for two coins, wrote a receipt, and pointed at the path along the hill.\n\
    fn total(prices: &[f64]) -> f64 {\n    prices.iter().filter(|price| **price > 0.0).sum()\n}\n\
    To change a tyre: first loosen the nuts, then lift the car, take the wheel off, and put the spare one in its place. \
    请用三句话回答：怎样在家里煮一杯好咖啡？先把水烧开，再把咖啡粉放进滤杯，最后慢慢倒水。";

/// What a precision adds to a model's id: results in another are those of another model.
pub(super) fn suffix(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "",
        Precision::Bf16 => ".bf16",
        Precision::Int8 => ".int8",
    }
}

/// Perplexity of completions, each after its prompt, when the frozen weights multiply in `precision`: e to the mean of the
/// negative log-probabilities of all their tokens.
///
/// # Errors
/// The engine's: a token outside the vocabulary, an example longer than the context.
pub fn perplexity(
    decoder: &Decoder,
    examples: &[(Vec<u32>, Vec<u32>)],
    precision: Precision,
) -> Result<f64, ModelsError> {
    let mut workspace = Workspace::new(Products::both(precision));
    let (mut sum, mut tokens) = (0.0, 0usize);
    for (prompt, completion) in examples {
        let logprobs = decoder.score(&Packed::single(prompt, completion), None, &mut workspace)?;
        sum -= logprobs.iter().map(|l| f64::from(*l)).sum::<f64>();
        tokens += logprobs.len();
    }
    Ok((sum / tokens.max(1) as f64).exp())
}

/// Refuses 8 bits for a model whose perplexity they change by more than [`MAX_PERPLEXITY_CHANGE`] against f32 (bf16
/// would need packed weights of its own), on a text of some hundred tokens. Takes a moment; other precisions pass without.
pub(super) fn check(decoder: &Decoder, tokenizer: &TextTokenizer) -> Result<(), ModelsError> {
    if decoder.generation_precision() != Precision::Int8 {
        return Ok(());
    }
    let ids = tokenizer.encode(SAMPLE)?;
    let length = ids.len().min(decoder.config().max_positions);
    if length < 2 {
        return Ok(());
    }
    let sample = [(ids[..1].to_vec(), ids[1..length].to_vec())];
    let [eight, full] = [Precision::Int8, Precision::F32].map(|p| perplexity(decoder, &sample, p));
    let (eight, full) = (eight?, full?);
    if (eight / full - 1.0).abs() <= MAX_PERPLEXITY_CHANGE {
        return Ok(());
    }
    Err(ModelsError::Invalid(format!(
        "8 bits change this model: the perplexity of a sample text is {eight:.3} instead of {full:.3} in f32; set \
         engine.precision to bf16"
    )))
}
