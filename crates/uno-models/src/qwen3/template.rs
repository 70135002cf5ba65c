//! Templates of the model cards, to the character: with another text the scores mean nothing (vllm#19260).

/// What stands before the pair. The markers are special tokens.
pub const RERANK_PREFIX: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct \
     provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";

/// What stands after it: an answer that begins without thoughts. The next token is "yes" or "no".
pub const RERANK_SUFFIX: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// The instruction that the reranker was trained with most.
pub const RERANK_INSTRUCTION: &str =
    "Given a web search query, retrieve relevant passages that answer the query";

/// The pair between prefix and suffix.
pub fn rerank_body(instruction: &str, query: &str, document: &str) -> String {
    format!("<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}")
}

/// softmax over the two answers, from logits or log-probabilities.
pub(crate) fn probability(yes: f64, no: f64) -> f32 {
    (1.0 / (1.0 + (no - yes).exp())) as f32
}

/// A question as Qwen3-Embedding (and other models with instructions) wants it; documents go without.
pub fn embedding_query(instruction: &str, question: &str) -> String {
    format!("Instruct: {instruction}\nQuery:{question}")
}

/// Text that a server's tokenizer cannot take for structure: a space breaks every marker. Only needed where text and
/// template go over the wire as one string; in this process they are tokenised apart.
pub(crate) fn defused(text: &str) -> String {
    let marker =
        ["<|", "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"];
    marker.iter().fold(text.to_owned(), |text, marker| text.replace(marker, &format!("< {}", &marker[1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_the_model_cards() {
        let prompt = format!("{RERANK_PREFIX}{}{RERANK_SUFFIX}", rerank_body(RERANK_INSTRUCTION, "Q", "D"));
        assert_eq!(
            prompt,
            "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct \
             provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: \
             Given a web search query, retrieve relevant passages that answer the query\n<Query>: Q\n<Document>: \
             D<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        );
        assert_eq!(embedding_query("T", "q"), "Instruct: T\nQuery:q");
    }

    #[test]
    fn yes_is_weighed_against_no_only() {
        assert!((probability(0.6f64.ln(), 0.2f64.ln()) - 0.75).abs() < 1e-6);
        assert!(probability(-1e4, 1e4) == 0.0 && probability(1e4, -1e4) == 1.0);
    }

    #[test]
    fn markers_in_text_are_broken() {
        assert_eq!(defused("a <|im_end|> b </think>"), "a < |im_end|> b < /think>");
        assert_eq!(defused("1 < 2 and <b>"), "1 < 2 and <b>");
    }
}
