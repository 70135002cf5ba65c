//! How fast the embedded engine generates and embeds.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use uno_engine::{Decoder, EngineError, LoraConfig, LoraWeights, Precision, Sequence, Target, peak_rss_mib};
use uno_models::sampling;
use uno_types::{Embedder, ModelError, Sampling};

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateLoad {
    /// Rows that decode at once.
    pub batch: usize,
    /// Tokens of each prompt; no two prompts are alike, and nothing of them is shared.
    pub prompt_tokens: usize,
    /// Tokens each row generates: greedy, past any end of text.
    pub new_tokens: usize,
    /// Different adapters among the rows; 0: the base model.
    pub adapters: usize,
    /// Their rank.
    pub rank: usize,
}

/// What a generation took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateReport {
    /// Rows that decoded at once.
    pub batch: usize,
    /// Different adapters among them.
    pub adapters: usize,
    /// In what frozen weights were multiplied.
    pub precision: Precision,
    /// Tokens of each prompt.
    pub prompt_tokens: usize,
    /// Tokens each row generated.
    pub new_tokens: usize,
    /// Wall time, seconds.
    pub seconds: f64,
    /// New tokens of all rows per second of wall time, prefill included.
    pub tokens_per_second: f64,
    /// The same without prefill and first token.
    pub decode_tokens_per_second: f64,
    /// Prompt tokens of all rows per second of prefill.
    pub prefill_tokens_per_second: f64,
    /// Peak memory of the process.
    pub peak_rss_mib: f64,
}

/// Tokens that are fed in one call, as the scheduler of the embedded model does.
const STEP_TOKENS: usize = 1024;

/// Generates greedily from made-up prompts, once to warm up and once for the clock.
///
/// # Errors
/// When the prompt exceeds the model's context, or the engine fails.
pub fn generate(decoder: &Decoder, load: &GenerateLoad) -> Result<GenerateReport, ModelError> {
    let engine = |error: EngineError| ModelError::Engine(error.to_string());
    let adapters = (0..load.adapters as u64)
        .map(|seed| adapter(decoder, load.rank, seed).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()
        .map_err(engine)?;
    let warm_up = GenerateLoad { new_tokens: 4.min(load.new_tokens), ..load.clone() };
    once(decoder, &warm_up, &adapters)?;
    let (prefill, seconds) = once(decoder, load, &adapters)?;
    let rate = |tokens: usize, seconds: f64| (tokens * load.batch) as f64 / seconds;
    Ok(GenerateReport {
        batch: load.batch,
        adapters: load.adapters,
        precision: decoder.generation_precision(),
        prompt_tokens: load.prompt_tokens,
        new_tokens: load.new_tokens,
        seconds,
        tokens_per_second: rate(load.new_tokens, seconds),
        decode_tokens_per_second: rate(load.new_tokens.saturating_sub(1), seconds - prefill),
        prefill_tokens_per_second: rate(load.prompt_tokens, prefill),
        peak_rss_mib: peak_rss_mib(),
    })
}

/// An adapter that is not zero.
fn adapter(decoder: &Decoder, rank: usize, seed: u64) -> Result<LoraWeights, EngineError> {
    let targets = Target::all_linear(decoder.config());
    let config = LoraConfig { rank, alpha: 2.0 * rank as f32, targets };
    let mut weights = LoraWeights::init(decoder.config(), config, seed)?;
    weights.as_mut_slice().iter_mut().enumerate().for_each(|(i, v)| *v += 1e-4 * (i % 7) as f32 - 3e-4);
    Ok(weights)
}

/// Seconds of the prefill, first tokens drawn, and of the whole.
fn once(
    decoder: &Decoder,
    load: &GenerateLoad,
    adapters: &[Arc<LoraWeights>],
) -> Result<(f64, f64), ModelError> {
    let engine = |error: EngineError| ModelError::Engine(error.to_string());
    let vocab = decoder.config().vocab_size;
    let ids = |row: usize| -> Vec<u32> {
        (0..load.prompt_tokens).map(|i| ((i * 7919 + row * 104_729 + 17) % vocab) as u32).collect()
    };
    let prompts: Vec<Vec<u32>> = (0..load.batch).map(ids).collect();
    let mut rows: Vec<Sequence> = (0..load.batch)
        .map(|i| {
            let adapter = (!adapters.is_empty()).then(|| adapters[i % adapters.len()].clone());
            decoder.start(None, adapter, load.prompt_tokens + load.new_tokens)
        })
        .collect();
    let started = Instant::now();
    let mut next = Vec::with_capacity(load.batch);
    let at_once = (STEP_TOKENS / load.prompt_tokens.max(1)).max(1);
    for (rows, prompts) in rows.chunks_mut(at_once).zip(prompts.chunks(at_once)) {
        let mut fed: Vec<_> = rows.iter_mut().zip(prompts.iter().map(Vec::as_slice)).collect();
        let logits = decoder.advance(&mut fed).map_err(engine)?;
        for i in 0..logits.rows() {
            next.push(greedy(logits.row(i))?);
        }
    }
    let prefill = started.elapsed().as_secs_f64();
    for _ in 1..load.new_tokens {
        let mut fed: Vec<_> = rows.iter_mut().zip(next.chunks(1)).collect();
        let logits = decoder.advance(&mut fed).map_err(engine)?;
        next = (0..logits.rows()).map(|i| greedy(logits.row(i))).collect::<Result<_, _>>()?;
    }
    Ok((prefill, started.elapsed().as_secs_f64()))
}

/// The likeliest token.
pub(crate) fn greedy(logits: &[f32]) -> Result<u32, ModelError> {
    let drawn = sampling::draw(logits, None, &Sampling::GREEDY, 0, false);
    drawn.map(|d| d.token).map_err(|e| ModelError::Engine(e.to_string()))
}

/// What embedding took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbedReport {
    /// Texts embedded.
    pub texts: usize,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Texts per second.
    pub texts_per_second: f64,
    /// Peak memory of the process.
    pub peak_rss_mib: f64,
}

/// Embeds `texts`, after a few of them to warm up.
///
/// # Errors
/// The embedder's.
pub fn embed(embedder: &dyn Embedder, texts: &[&str]) -> Result<EmbedReport, ModelError> {
    embedder.embed(&texts[..texts.len().min(64)])?;
    let started = Instant::now();
    embedder.embed(texts)?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(EmbedReport {
        texts: texts.len(),
        seconds,
        texts_per_second: texts.len() as f64 / seconds,
        peak_rss_mib: peak_rss_mib(),
    })
}
