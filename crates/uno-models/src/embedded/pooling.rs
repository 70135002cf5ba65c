//! How a directory or file says that it is an embedding model, and how it pools.

use std::path::Path;

use uno_engine::weights::GgufFile;

use crate::ModelsError;
use crate::tokenizer::dir::optional_json;

/// From hidden states to a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The mean over all tokens of a BERT encoder.
    Mean,
    /// The last token's of a decoder.
    LastToken,
}

/// llama.cpp's `LLAMA_POOLING_TYPE_LAST`.
const GGUF_LAST: u64 = 3;

/// What such models are called where nothing else says what they are.
const FAMILY: &str = "qwen3-embedding";

/// Reads what `path` is.
///
/// # Errors
/// When it is a chat model, or pools in another way than the engine can.
pub(super) fn of(path: &Path) -> Result<Pooling, ModelsError> {
    let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if path.is_dir() { of_dir(path, &file_name) } else { of_gguf(path, &file_name) }
}

fn of_dir(dir: &Path, name: &str) -> Result<Pooling, ModelsError> {
    let config = optional_json(&dir.join("config.json"))?.unwrap_or_default();
    if config["model_type"] != "qwen3" {
        // The encoder refuses what is no BERT.
        return Ok(Pooling::Mean);
    }
    refuse_other_modules(dir)?;
    let path = dir.join("1_Pooling/config.json");
    match optional_json(&path)? {
        Some(pooling)
            if pooling["pooling_mode_lasttoken"] == true || pooling["pooling_mode"] == "lasttoken" =>
        {
            Ok(Pooling::LastToken)
        }
        Some(_) => {
            Err(ModelsError::format(path, "a qwen3 model is pooled by its last token only; this one is not"))
        }
        None if is_family(name) || is_family(config["_name_or_path"].as_str().unwrap_or_default()) => {
            Ok(Pooling::LastToken)
        }
        None => Err(no_embedding_model(dir)),
    }
}

/// Modules after pooling, other than the normalisation, would change the vector.
fn refuse_other_modules(dir: &Path) -> Result<(), ModelsError> {
    let path = dir.join("modules.json");
    let Some(modules) = optional_json(&path)? else { return Ok(()) };
    let kinds = modules.as_array().into_iter().flatten().filter_map(|m| m["type"].as_str());
    let kind = |full: &str| full.rsplit('.').next().unwrap_or_default().to_owned();
    match kinds.map(kind).find(|k| !["Transformer", "Pooling", "Normalize"].contains(&k.as_str())) {
        Some(other) => Err(ModelsError::format(path, format!("the module {other} is not supported"))),
        None => Ok(()),
    }
}

fn of_gguf(path: &Path, name: &str) -> Result<Pooling, ModelsError> {
    let file = GgufFile::open(path)?;
    let pooling = file.value("qwen3.pooling_type").and_then(uno_engine::weights::gguf::Value::as_u64);
    let named = is_family(name) || file.name().is_some_and(is_family);
    match (file.architecture(), pooling) {
        (Some("qwen3"), Some(GGUF_LAST)) => Ok(Pooling::LastToken),
        (Some("qwen3"), None) if named => Ok(Pooling::LastToken),
        _ => Err(no_embedding_model(path)),
    }
}

/// "Qwen3 Embedding 0.6b" and "Qwen3-Embedding-0.6B-Q8_0.gguf" alike.
fn is_family(name: &str) -> bool {
    name.to_lowercase().replace([' ', '_'], "-").contains(FAMILY)
}

fn no_embedding_model(path: &Path) -> ModelsError {
    let what = "no embedding model: neither BERT nor a Qwen3 with last-token pooling (1_Pooling/config.json, \
                qwen3.pooling_type, or Qwen3-Embedding in its name); set embedder.model to one";
    ModelsError::format(path, what)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn dir(files: &[(&str, Value)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content.to_string()).unwrap();
        }
        dir
    }

    #[test]
    fn a_directory_says_how_it_pools() {
        let config = ("config.json", serde_json::json!({"model_type": "qwen3"}));
        let last = ("1_Pooling/config.json", serde_json::json!({"pooling_mode_lasttoken": true}));
        let mean = ("1_Pooling/config.json", serde_json::json!({"pooling_mode_mean_tokens": true}));
        let dense = ("modules.json", serde_json::json!([{"type": "sentence_transformers.models.Dense"}]));
        let own = (
            "modules.json",
            serde_json::json!([
                {"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"},
                {"type": "sentence_transformers.models.Normalize"},
            ]),
        );
        let bert = ("config.json", serde_json::json!({"model_type": "bert"}));
        assert_eq!(of(dir(&[bert]).path()).unwrap(), Pooling::Mean);
        assert_eq!(of(dir(&[config.clone(), last.clone(), own]).path()).unwrap(), Pooling::LastToken);
        let refused = |files: &[(&str, Value)], word: &str| {
            let error = of(dir(files).path()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(&[config.clone(), mean], "last token");
        refused(&[config.clone(), last, dense], "Dense");
        refused(&[config], "no embedding model");
    }

    #[test]
    fn the_family_is_known_by_name() {
        for name in ["Qwen3-Embedding-0.6B", "Qwen3 Embedding 0.6b", "qwen3_embedding-4b-q8_0.gguf"] {
            assert!(is_family(name), "{name}");
        }
        assert!(!is_family("Qwen3-0.6B") && !is_family("Qwen3-Reranker-0.6B"));
    }
}
