//! `tokenizer.json` of a Hugging Face directory and the ids in the files beside it.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::SpecialIds;
use super::bytes::Alphabet;
use crate::ModelsError;

pub(super) fn read(dir: &Path) -> Result<(Tokenizer, Alphabet, SpecialIds), ModelsError> {
    let path = dir.join("tokenizer.json");
    let text = std::fs::read(&path).map_err(ModelsError::io("read", &path))?;
    let format = |e: &dyn std::fmt::Display| ModelsError::format(&path, format!("not a tokenizer: {e}"));
    let json: Value = serde_json::from_slice(&text).map_err(|e| format(&e))?;
    let alphabet = alphabet(&json);
    let mut tokenizer = Tokenizer::from_bytes(&text).map_err(|e| format(&e))?;
    // Files carry the limits of the run that saved them; length is the caller's business.
    tokenizer.with_truncation(None).map_err(|e| format(&e))?;
    tokenizer.with_padding(None);
    let ids = special_ids(dir, &tokenizer)?;
    Ok((tokenizer, alphabet, ids))
}

/// What the decoder of `tokenizer.json` undoes.
fn alphabet(json: &Value) -> Alphabet {
    fn has(value: &Value, kind: &str) -> bool {
        value["type"] == kind
            || ["decoders", "pretokenizers"]
                .iter()
                .any(|list| value[*list].as_array().is_some_and(|all| all.iter().any(|v| has(v, kind))))
    }
    if has(&json["decoder"], "WordPiece") {
        Alphabet::WordPiece
    } else if has(&json["decoder"], "ByteLevel") || has(&json["pre_tokenizer"], "ByteLevel") {
        Alphabet::ByteLevel
    } else {
        Alphabet::SentencePiece
    }
}

/// Ids by `tokenizer_config.json` (texts), then `generation_config.json` and `config.json` (ids; chat models often have a
/// second end token only there).
fn special_ids(dir: &Path, tokenizer: &Tokenizer) -> Result<SpecialIds, ModelsError> {
    let mut ids = SpecialIds::default();
    if let Some(config) = optional_json(&dir.join("tokenizer_config.json"))? {
        let id = |key: &str| special_text(&config, key).and_then(|text| tokenizer.token_to_id(text));
        ids = SpecialIds {
            bos: id("bos_token"),
            eos: id("eos_token").into_iter().collect(),
            pad: id("pad_token"),
        };
    }
    for file in ["generation_config.json", "config.json"] {
        let Some(config) = optional_json(&dir.join(file))? else { continue };
        let ends = &config["eos_token_id"];
        let ends = ends.as_array().map_or(std::slice::from_ref(ends), Vec::as_slice);
        for end in ends.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()) {
            if !ids.eos.contains(&end) && tokenizer.id_to_token(end).is_some() {
                ids.eos.push(end);
            }
        }
    }
    Ok(ids)
}

/// A special token's text in `tokenizer_config.json`: a string, or an object with `content`.
pub(crate) fn special_text<'a>(config: &'a Value, key: &str) -> Option<&'a str> {
    config[key].as_str().or_else(|| config[key]["content"].as_str())
}

/// A JSON file that need not be there.
pub(crate) fn optional_json(path: &Path) -> Result<Option<Value>, ModelsError> {
    match std::fs::read(path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(value) => Ok(Some(value)),
            Err(e) => Err(ModelsError::format(path, format!("not JSON: {e}"))),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ModelsError::io("read", path)(e)),
    }
}
