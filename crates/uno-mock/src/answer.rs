//! Deterministic answers: hashes of whose weights and which text.

use serde_json::{Value, json};

fn hash(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let bytes = hasher.finalize();
    bytes.as_bytes().iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// The text that `weights` (base model name or adapter content hash) answer to `prompt` with this seed.
pub fn chat_answer(weights: &str, prompt: &str, seed: u64) -> String {
    const WORDS: [&str; 16] = [
        "amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "islet", "juniper", "knoll",
        "lagoon", "meadow", "north", "orchard", "pine",
    ];
    let h = hash(&[weights, prompt, &seed.to_string()]);
    let words: Vec<&str> = (0..6).map(|i| WORDS[(h >> (4 * i)) as usize % 16]).collect();
    words.join(" ")
}

/// The log-probability that `weights` give the last of `tokens` after the others: between -4 and 0.
pub fn logprob(weights: &str, tokens: &[String]) -> f32 {
    (hash(&[weights, &tokens.join("\u{1}")]) % 4000) as f32 / -1000.0
}

/// Some JSON document that satisfies the schema (objects, arrays, strings, numbers, booleans, enum, const).
pub(crate) fn instance(schema: &Value, text: &str) -> Value {
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|e| e.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {
            let empty = serde_json::Map::new();
            let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
            properties
                .iter()
                .map(|(k, v)| (k.clone(), instance(v, text)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Some("array") => {
            let n = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
            (0..n).map(|_| schema.get("items").map_or(Value::Null, |items| instance(items, text))).collect()
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(7)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => json!(text),
    }
}

/// Words as tokens.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
