//! Hugging Face directories: `config.json` with `model.safetensors` or its shards.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensors};
use serde::Deserialize;

use super::dequant::{self, TensorType};
use super::map::MappedFile;
use crate::EngineError;

const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
/// Bytes of the header's length before the header.
const LENGTH_BYTES: usize = 8;

/// One mapped `.safetensors` file.
#[derive(Debug)]
pub struct SafetensorsFile {
    file: MappedFile,
    header: Metadata,
    data: usize,
}

impl SafetensorsFile {
    /// Maps the file and checks its header against its length.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let file = MappedFile::open(path)?;
        let (length, header) = SafeTensors::read_metadata(&file).map_err(|e| {
            EngineError::format(path, format!("not a whole safetensors file: {e}; fetch it again"))
        })?;
        Ok(Self { file, header, data: LENGTH_BYTES + length })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// All bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// Hex BLAKE3 of all its bytes.
    pub fn hash(&self) -> String {
        super::content_hash(&self.file).to_hex().to_string()
    }

    /// Names of its tensors.
    pub fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// A tensor as `f32`, row-major. `shape` is what the caller expects.
    pub fn take_f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        let path = self.path();
        let Some(info) = self.header.info(name) else {
            return Err(EngineError::MissingTensor { path: path.to_owned(), name: name.to_owned() });
        };
        if info.shape != shape {
            return Err(EngineError::Shape {
                path: path.to_owned(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: info.shape.clone(),
            });
        }
        let kind = match info.dtype {
            Dtype::F32 => TensorType::F32,
            Dtype::F16 => TensorType::F16,
            Dtype::BF16 => TensorType::BF16,
            other => {
                let what = format!("tensor {name}: number format {other:?}");
                return Err(EngineError::Unsupported { path: path.to_owned(), what });
            }
        };
        let (start, end) = info.data_offsets;
        // Within bounds: read_metadata has checked every offset against the file's length.
        let bytes = self.file.get(self.data + start..self.data + end);
        let bytes =
            bytes.ok_or_else(|| EngineError::format(path, format!("tensor {name} lies outside the file")))?;
        Ok(dequant::dequantise(kind, bytes))
    }
}

/// `model.safetensors.index.json`.
#[derive(Debug, Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// All weight files of a directory.
#[derive(Debug)]
pub struct SafetensorsDir {
    dir: PathBuf,
    files: Vec<SafetensorsFile>,
    /// Tensor name → position in `files`.
    place: HashMap<String, usize>,
    /// Saved without its head (`Qwen3Model`, not `Qwen3ForCausalLM`): names lack the prefix `model.`, as embedding models'
    /// do.
    bare: bool,
}

/// What a checkpoint with a head puts before the names of everything below it.
const PREFIX: &str = "model.";

impl SafetensorsDir {
    /// Opens `model.safetensors`, or every shard that `model.safetensors.index.json` names.
    pub fn open(dir: &Path) -> Result<Self, EngineError> {
        let index = dir.join(INDEX);
        let single = dir.join(SINGLE);
        let names = if index.is_file() && !single.is_file() {
            shards(&index)?
        } else if single.is_file() {
            vec![SINGLE.to_owned()]
        } else {
            let what = format!(
                "neither {SINGLE} nor {INDEX} is there; convert other formats to safetensors or GGUF"
            );
            return Err(EngineError::format(dir, what));
        };
        let files =
            names.iter().map(|n| SafetensorsFile::open(&dir.join(n))).collect::<Result<Vec<_>, _>>()?;
        let mut place = HashMap::new();
        for (position, file) in files.iter().enumerate() {
            place.extend(file.names().into_iter().map(|name| (name, position)));
        }
        let bare = place.contains_key("embed_tokens.weight");
        Ok(Self { dir: dir.to_owned(), files, place, bare })
    }

    /// Whether this is a model without its head, whose tensors are named without `model.`; [`Self::take_f32`] and
    /// [`Self::names`] use the names with it.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let prefix = if self.bare { PREFIX } else { "" };
        self.place.keys().map(move |name| format!("{prefix}{name}"))
    }

    /// Its files, sorted by name.
    pub fn files(&self) -> &[SafetensorsFile] {
        &self.files
    }

    /// A tensor as `f32`, row-major.
    pub fn take_f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        let name = if self.bare { name.strip_prefix(PREFIX).unwrap_or(name) } else { name };
        match self.place.get(name) {
            Some(&position) => self.files[position].take_f32(name, shape),
            None => Err(EngineError::MissingTensor { path: self.dir.clone(), name: name.to_owned() }),
        }
    }
}

/// The distinct shard names of an index, sorted. A name that leaves the directory is refused.
fn shards(index: &Path) -> Result<Vec<String>, EngineError> {
    let text = std::fs::read(index).map_err(EngineError::io("read", index))?;
    let parsed: Index =
        serde_json::from_slice(&text).map_err(|e| EngineError::format(index, e.to_string()))?;
    let mut names: Vec<String> = parsed.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    for name in &names {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(EngineError::format(index, format!("shard name {name:?} is not a plain file name")));
        }
    }
    if names.is_empty() {
        return Err(EngineError::format(index, "weight_map names no file"));
    }
    Ok(names)
}
