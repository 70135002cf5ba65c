//! What fewer bits cost: perplexity, and how near greedy answers stay to those in f32.

use serde::{Deserialize, Serialize};
use uno_engine::{Precision, Sequence};
use uno_models::{EmbeddedChat, precision};
use uno_types::{Embedder, ModelError};

use crate::baseline::cosine;
use crate::speed::greedy;

/// A model in one precision, compared with itself in f32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionReport {
    /// In what frozen weights were multiplied; what the machine made of the wish.
    pub precision: Precision,
    /// Of the examples' completions.
    pub perplexity: f64,
    /// This perplexity over that in f32, minus 1.
    pub perplexity_change: f64,
    /// Greedy answers that are the same token by token.
    pub same_answers: f64,
    /// Tokens until a greedy answer first differs, over the tokens of the answer in f32; mean over answers.
    pub same_tokens: f64,
    /// Perplexity of the greedy answers as the model in f32 sees them: as low as that of its own when they are as good.
    pub answer_perplexity: f64,
    /// Cosine of the embeddings of both answers, mean over answers.
    pub answer_cosine: f64,
}

fn engine(error: impl std::fmt::Display) -> ModelError {
    ModelError::Engine(error.to_string())
}

/// Greedy answers of up to `new_tokens` tokens to each prompt, without the end token.
fn answers(chat: &EmbeddedChat, prompts: &[&[u32]], new_tokens: usize) -> Result<Vec<Vec<u32>>, ModelError> {
    let decoder = chat.decoder();
    let mut out = Vec::with_capacity(prompts.len());
    for prompts in prompts.chunks(8) {
        let capacity = |prompt: &&[u32]| prompt.len() + new_tokens;
        let mut rows: Vec<Sequence> =
            prompts.iter().map(|p| decoder.start(None, None, capacity(p))).collect();
        let mut fed: Vec<(usize, Vec<u32>)> = prompts.iter().map(|p| p.to_vec()).enumerate().collect();
        let mut found = vec![Vec::new(); prompts.len()];
        for _ in 0..new_tokens {
            let mut open: Vec<Option<&mut Sequence>> = rows.iter_mut().map(Some).collect();
            let mut step: Vec<(&mut Sequence, &[u32])> = Vec::new();
            for (row, ids) in &fed {
                if let Some(sequence) = open[*row].take() {
                    step.push((sequence, ids));
                }
            }
            let logits = decoder.advance(&mut step).map_err(engine)?;
            let mut next = Vec::new();
            for (i, (row, _)) in fed.iter().enumerate() {
                let token = greedy(logits.row(i))?;
                if !chat.ends().contains(&token) {
                    found[*row].push(token);
                    next.push((*row, vec![token]));
                }
            }
            fed = next;
            if fed.is_empty() {
                break;
            }
        }
        out.append(&mut found);
    }
    Ok(out)
}

/// Compares `chats`, the same model in several precisions of which the first is f32, on examples of prompt and completion.
///
/// # Errors
/// The engine's, and the embedder's.
pub fn compare(
    chats: &[EmbeddedChat],
    examples: &[(Vec<u32>, Vec<u32>)],
    new_tokens: usize,
    embedder: &dyn Embedder,
) -> Result<Vec<PrecisionReport>, ModelError> {
    let prompts: Vec<&[u32]> = examples.iter().map(|(prompt, _)| prompt.as_slice()).collect();
    let mut reports: Vec<PrecisionReport> = Vec::new();
    let mut exact: Vec<Vec<u32>> = Vec::new();
    for chat in chats {
        let precision = chat.decoder().generation_precision();
        let perplexity = precision::perplexity(chat.decoder(), examples, precision).map_err(engine)?;
        let found = answers(chat, &prompts, new_tokens)?;
        if reports.is_empty() {
            exact.clone_from(&found);
        }
        let seen: Vec<_> = prompts.iter().map(|p| p.to_vec()).zip(found.iter().cloned()).collect();
        let seen: Vec<_> = seen.into_iter().filter(|(_, answer)| !answer.is_empty()).collect();
        let answer_perplexity =
            precision::perplexity(chats[0].decoder(), &seen, Precision::F32).map_err(engine)?;
        let texts = |answers: &[Vec<u32>]| -> Vec<String> {
            answers.iter().map(|ids| chat.tokenizer().decode(ids)).collect()
        };
        let (ours, base) = (texts(&found), texts(&exact));
        let embed = |texts: &[String]| embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let (ours, base) = (embed(&ours)?, embed(&base)?);
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / examples.len().max(1) as f64;
        let pairs = || found.iter().zip(&exact);
        let shared = |(a, b): (&Vec<u32>, &Vec<u32>)| {
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            if b.is_empty() { 1.0 } else { same as f64 / b.len() as f64 }
        };
        reports.push(PrecisionReport {
            precision,
            perplexity,
            perplexity_change: perplexity / reports.first().map_or(perplexity, |r| r.perplexity) - 1.0,
            answer_perplexity,
            same_answers: mean(&mut pairs().map(|(a, b)| f64::from(u8::from(a == b)))),
            same_tokens: mean(&mut pairs().map(shared)),
            answer_cosine: mean(&mut ours.iter().zip(&base).map(|(a, b)| f64::from(cosine(a, b)))),
        });
    }
    Ok(reports)
}
