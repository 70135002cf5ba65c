//! A training example with the tokens that serving will see.

use uno_types::Message;

use super::ChatTemplate;
use crate::ModelsError;
use crate::tokenizer::TextTokenizer;

/// A prompt and its completion as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedExample {
    /// The rendered prompt, up to where the assistant's turn begins: exactly what serving feeds.
    pub prompt: Vec<u32>,
    /// The assistant's turn with the end that the template gives it (`<|im_end|>\n`: ids 2, 198 for SmolLM2).
    pub completion: Vec<u32>,
}

/// Renders `prompt` and `prompt` + `completion` with the serving template and tokenises the prompt and the rest apart, as
/// TRL's `DPOTrainer.tokenize_row` does (which then appends one more EOS; this does not).
///
/// Fails when the template writes the prompt differently once an answer follows: training would then see other text than
/// serving.
pub fn encode_example(
    tokenizer: &TextTokenizer,
    template: &ChatTemplate,
    prompt: &[Message],
    completion: &str,
) -> Result<TokenizedExample, ModelsError> {
    let prompt_text = template.render(prompt, true)?;
    let mut messages = prompt.to_vec();
    messages.push(Message::assistant(completion));
    let whole = template.render(&messages, false)?;
    let Some(completion_text) = whole.strip_prefix(&prompt_text) else {
        let same = prompt_text.chars().zip(whole.chars()).take_while(|(a, b)| a == b).count();
        let tail: String = prompt_text.chars().skip(same).take(40).collect();
        return Err(ModelsError::Template(format!(
            "the prompt changes when an answer follows it (from character {same}: {tail:?}), so that training would not see what serving sees; use a template whose prompt is a prefix of the whole"
        )));
    };
    Ok(TokenizedExample {
        prompt: tokenizer.encode(&prompt_text)?,
        completion: tokenizer.encode(completion_text)?,
    })
}
