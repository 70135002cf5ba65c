//! What an adapter does to a few fixed conversations, measured where it was trained.

use std::path::Path;

use uno_engine::{Decoder, EngineError, LoraWeights, Packed};
use uno_types::{AdapterRef, ChatModel, GenerationRequest, Message, ModelError, Sampling};

use super::chat::EmbeddedChat;
use crate::fingerprint::{Fingerprint, FingerprintPrompt, Measured};

/// Tokens of each continuation: enough for an adapter to show, and cheap to score.
const CONTINUATION: usize = 24;

/// The fingerprint of `adapter`: for each of `prompts` (user turns), the adapted model's greedy answer with the
/// log-probabilities of the whole text under the base model and under the adapter.
///
/// A server that loads the adapter must find the same numbers; one that drops it silently, or serves another base, does not.
///
/// # Errors
/// As `generate`: an adapter that cannot be read, a prompt beyond the context, the engine's.
pub fn probe(chat: &EmbeddedChat, adapter: &AdapterRef, prompts: &[&str]) -> Result<Fingerprint, ModelError> {
    let requests: Vec<GenerationRequest> = prompts
        .iter()
        .map(|prompt| GenerationRequest {
            messages: vec![Message::user(*prompt)],
            adapter: Some(adapter.clone()),
            sampling: Sampling::GREEDY,
            max_tokens: CONTINUATION,
            constraint: None,
            logprobs: false,
        })
        .collect();
    let mut answers = vec![None; requests.len()];
    chat.generate(&requests, &mut |index, answer| answers[index] = Some(answer))?;
    let mut fingerprint = Fingerprint { prompts: Vec::new() };
    for (request, answer) in requests.iter().zip(answers) {
        let answer = answer
            .ok_or_else(|| ModelError::Engine("a prompt of the fingerprint got no answer".to_owned()))??;
        let text = chat.template().render(&request.messages, true)? + &answer.text;
        let tokens = chat.tokenizer().encode(&text)?;
        let (first, rest) = tokens.split_at(1);
        fingerprint.prompts.push(FingerprintPrompt {
            base: chat.score(first, rest, None)?,
            adapter: chat.score(first, rest, Some(adapter))?,
            tokens,
        });
    }
    Ok(fingerprint)
}

/// Refuses an adapter that does not do what its fingerprint says: trained on another base model of the same shape, or
/// with weights that are no longer those that were trained. One text is enough, and costs a fraction of any answer; an
/// adapter without a fingerprint (someone else's) is taken as it is.
///
/// # Errors
/// [`ModelError::Invalid`] with what is wrong; the engine's.
pub(super) fn check(decoder: &Decoder, adapter: &LoraWeights, dir: &Path) -> Result<(), ModelError> {
    let Some(fingerprint) = Fingerprint::read(dir)? else { return Ok(()) };
    let engine = |error: EngineError| ModelError::Engine(error.to_string());
    let Some(prompt) = fingerprint.prompts.first() else { return Ok(()) };
    let (first, rest) = prompt.tokens.split_at(1);
    let packed = Packed::single(first, rest);
    let base = decoder.token_logprobs(&packed, None).map_err(engine)?;
    let adapted = decoder.token_logprobs(&packed, Some(adapter)).map_err(engine)?;
    Measured::of(prompt, &base, &adapted).judge().map_err(ModelError::Invalid)
}
