//! Weight files: GGUF and Hugging Face directories, behind one [`TensorStore`].

pub mod dequant;
pub mod gguf;
mod hf_config;
mod map;
pub mod safetensors_dir;
mod size;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use gguf::GgufFile;
pub use map::MappedFile;
pub use safetensors_dir::{SafetensorsDir, SafetensorsFile};

use crate::{EngineError, ModelConfig};

/// A decoder's weights on disk, whatever the format.
#[derive(Debug)]
pub struct TensorStore {
    path: PathBuf,
    config: ModelConfig,
    format: Format,
    hash: OnceLock<String>,
}

#[derive(Debug)]
enum Format {
    Gguf(GgufFile),
    Safetensors(SafetensorsDir),
}

impl TensorStore {
    /// Opens a `.gguf` file, a Hugging Face directory (`config.json` and safetensors), or a directory with exactly one
    /// `.gguf` file. Checks headers and configuration; reads no weights.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let metadata = std::fs::metadata(path).map_err(EngineError::io("open", path))?;
        let (config, format) = if !metadata.is_dir() {
            gguf_format(path)?
        } else if path.join("config.json").is_file() {
            (hf_config::read(path)?, Format::Safetensors(SafetensorsDir::open(path)?))
        } else {
            gguf_format(&only_gguf(path)?)?
        };
        Ok(Self { path: path.to_owned(), config, format, hash: OnceLock::new() })
    }

    /// The file or directory as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The decoder's shape and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// A tensor by its Hugging Face name (`model.layers.0.self_attn.q_proj.weight`), dequantised, row-major, rows in
    /// Hugging Face's order. Errors name the file and the tensor: missing, or of another shape than `shape`.
    pub fn take_f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        match &self.format {
            Format::Gguf(file) => file.take_f32(name, shape),
            Format::Safetensors(dir) => dir.take_f32(name, shape),
        }
    }

    /// Hex BLAKE3 of the weight file's bytes (for a directory: of its weight files' hashes in the order of their names).
    /// Computed on first use, at some GB per second.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| match &self.format {
            Format::Gguf(file) => content_hash(file.bytes()).to_hex().to_string(),
            Format::Safetensors(dir) => {
                let mut all = blake3::Hasher::new();
                for file in dir.files() {
                    all.update(content_hash(file.bytes()).as_bytes());
                }
                all.finalize().to_hex().to_string()
            }
        })
    }

    /// Whether the weights were saved without an output head, as embedding models are.
    pub fn is_bare(&self) -> bool {
        matches!(&self.format, Format::Safetensors(dir) if dir.is_bare())
    }

    /// Fails for a tensor that `expected` (Hugging Face names) does not hold: a bias or a norm that nothing would apply makes
    /// another model. Left out are tensors that repeat what the configuration says.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] with the tensor's name, the first in the order of names.
    pub fn refuse_others(&self, expected: &HashSet<String>) -> Result<(), EngineError> {
        let mut others: Vec<String> = match &self.format {
            Format::Gguf(file) => file.others(expected),
            Format::Safetensors(dir) => dir
                .names()
                .filter(|n| !expected.contains(n) && !n.ends_with("rotary_emb.inv_freq"))
                .filter(|n| !(n == "lm_head.weight" && self.config.tied_head))
                .collect(),
        };
        others.sort();
        match others.into_iter().next() {
            Some(name) => {
                Err(EngineError::Unsupported { path: self.path.clone(), what: format!("tensor {name}") })
            }
            None => Ok(()),
        }
    }

    /// The GGUF file, when it is one: it holds the tokenizer and the chat template too.
    pub fn gguf(&self) -> Option<&GgufFile> {
        match &self.format {
            Format::Gguf(file) => Some(file),
            Format::Safetensors(_) => None,
        }
    }
}

/// BLAKE3 of `bytes`, on all rayon threads.
fn content_hash(bytes: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update_rayon(bytes).finalize()
}

fn gguf_format(path: &Path) -> Result<(ModelConfig, Format), EngineError> {
    let file = GgufFile::open(path)?;
    Ok((file.config()?, Format::Gguf(file)))
}

/// The one `.gguf` file of a directory.
fn only_gguf(dir: &Path) -> Result<PathBuf, EngineError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(EngineError::io("read", dir))? {
        let path = entry.map_err(EngineError::io("read", dir))?.path();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
            found.push(path);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(EngineError::format(
            dir,
            "neither config.json with safetensors nor a .gguf file is in this directory",
        )),
        n => Err(EngineError::format(
            dir,
            format!("{n} .gguf files are in this directory; name the one to open"),
        )),
    }
}
