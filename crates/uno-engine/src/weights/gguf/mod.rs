//! GGUF files, versions 2 and 3 (specification: ggml `docs/gguf.md`).
//!
//! A file is a list of metadata, a list of tensor descriptions and the tensors' bytes. [`GgufFile::open`] checks all of
//! it against the file's length, so that a truncated or damaged file is refused when it is opened, not when a tensor is
//! read.

mod arch;
pub(crate) mod names;
mod read;
mod tokenizer;
mod value;
mod write;

use std::collections::{HashMap, HashSet};
use std::path::Path;

pub use tokenizer::{TokenKind, TokenizerMetadata};
pub use value::Value;
pub(crate) use write::GgufWriter;

use self::read::Reader;
use super::dequant::{self, TensorType};
use super::map::MappedFile;
use crate::{EngineError, ModelConfig};

const MAGIC: &[u8] = b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
/// GGML_MAX_DIMS.
const MAX_DIMS: usize = 4;
/// Bytes that the smallest metadata entry (empty key, type, one byte) and tensor description take.
const SMALLEST_ENTRY: usize = 13;
const SMALLEST_TENSOR: usize = 24;

/// A tensor as the file describes it.
#[derive(Debug, Clone)]
pub struct GgufTensor {
    /// Shape in row-major order, outermost first (GGUF stores it the other way round).
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub kind: TensorType,
    /// First byte in the file.
    start: usize,
    /// Bytes in the file.
    length: usize,
}

/// An open GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    file: MappedFile,
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, GgufTensor>,
}

/// Opens `path`; the same as [`GgufFile::open`].
pub fn open(path: &Path) -> Result<GgufFile, EngineError> {
    GgufFile::open(path)
}

impl GgufFile {
    /// Maps the file and checks its header: magic, version, every count, every tensor's place.
    ///
    /// Fails with [`EngineError::Io`], [`EngineError::Format`] (damaged, cut short) or [`EngineError::Unsupported`]
    /// (version, quantisation), each naming the file and, where it is about one, the tensor.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let file = MappedFile::open(path)?;
        let mut reader = Reader::new(&file);
        let format = |what: String| EngineError::format(path, what);

        if reader.take(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(format("not a GGUF file (its first four bytes are not GGUF)".into()));
        }
        let version = reader.u32().map_err(format)?;
        if !(2..=3).contains(&version) {
            let what = format!("GGUF version {version} (2 and 3 are read)");
            return Err(EngineError::Unsupported { path: path.to_owned(), what });
        }
        let tensor_count = reader.count("tensors", SMALLEST_TENSOR).map_err(format)?;
        let metadata_count = reader.count("metadata entries", SMALLEST_ENTRY).map_err(format)?;
        let metadata = read_metadata(&mut reader, metadata_count).map_err(format)?;
        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(value) => value
                .as_u64()
                .filter(|a| a.is_power_of_two() && *a <= 1 << 20)
                .ok_or_else(|| format("general.alignment is not a sensible power of two".into()))?,
        };
        let described = read_descriptions(&mut reader, tensor_count).map_err(format)?;
        let data = (reader.position() as u64).next_multiple_of(alignment);
        let mut tensors = HashMap::with_capacity(described.len());
        for (name, description) in described {
            let tensor = place(&file, &name, description, data)?;
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(format(format!("tensor {name} is there twice")));
            }
        }
        Ok(Self { file, metadata, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// All bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// A metadata value by its full key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// `general.architecture`, such as "llama".
    pub fn architecture(&self) -> Option<&str> {
        self.value("general.architecture")?.as_str()
    }

    /// `general.name`, for display.
    pub fn name(&self) -> Option<&str> {
        self.value("general.name")?.as_str()
    }

    /// `tokenizer.chat_template`: a Jinja source.
    pub fn chat_template(&self) -> Option<&str> {
        self.value("tokenizer.chat_template")?.as_str()
    }

    /// What the file says about its tokenizer.
    pub fn tokenizer(&self) -> Result<TokenizerMetadata<'_>, EngineError> {
        TokenizerMetadata::read(self)
    }

    /// The decoder's shape and constants from the metadata of its architecture.
    pub fn config(&self) -> Result<ModelConfig, EngineError> {
        arch::config(self)
    }

    /// The descriptions of all tensors by their GGUF name.
    pub fn tensors(&self) -> &HashMap<String, GgufTensor> {
        &self.tensors
    }

    /// GGUF names of the tensors that stand for none of `expected` (Hugging Face names). The divisors of the
    /// rotation are in the configuration already.
    pub(super) fn others(&self, expected: &HashSet<String>) -> Vec<String> {
        let known: HashSet<String> = expected.iter().filter_map(|name| names::gguf_name(name)).collect();
        let other = |name: &&String| !known.contains(*name) && !name.starts_with("rope_f");
        self.tensors.keys().filter(other).cloned().collect()
    }

    /// A tensor by its GGUF name, dequantised, row-major, with the rows as the file orders them.
    pub fn dequantise(&self, name: &str) -> Result<Vec<f32>, EngineError> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(EngineError::MissingTensor { path: self.path().to_owned(), name: name.to_owned() });
        };
        let bytes = &self.file[tensor.start..tensor.start + tensor.length];
        Ok(dequant::dequantise(tensor.kind, bytes))
    }

    /// A tensor by its Hugging Face name, with the rows as Hugging Face orders them (llama.cpp's converter interleaves
    /// the rows of q and k in Llama models; this undoes it).
    pub fn take_f32(&self, hf_name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        let name = names::gguf_name(hf_name).ok_or_else(|| EngineError::MissingTensor {
            path: self.path().to_owned(),
            name: hf_name.to_owned(),
        })?;
        if let Some(tensor) = self.tensors.get(&name)
            && tensor.shape != shape
        {
            return Err(EngineError::Shape {
                path: self.path().to_owned(),
                name,
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        let values = self.dequantise(&name)?;
        match names::permuted_heads(self, hf_name)? {
            Some(heads) => names::unpermute(self, &name, values, shape, heads),
            None => Ok(values),
        }
    }
}

fn read_metadata(reader: &mut Reader<'_>, count: usize) -> Result<HashMap<String, Value>, String> {
    let mut metadata = HashMap::new();
    for index in 0..count {
        let key = reader.string(&format!("name of metadata entry {index}"))?;
        let value = value::read(reader, &key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("metadata {key} is there twice"));
        }
    }
    Ok(metadata)
}

/// Shape (GGUF order), type code and offset from the data section.
struct Description {
    dims: Vec<u64>,
    code: u32,
    offset: u64,
}

fn read_descriptions(reader: &mut Reader<'_>, count: usize) -> Result<Vec<(String, Description)>, String> {
    let mut described = Vec::new();
    for index in 0..count {
        let name = reader.string(&format!("name of tensor {index}"))?;
        let dims = reader.u32()? as usize;
        if dims > MAX_DIMS {
            return Err(format!(
                "tensor {name} says it has {dims} dimensions; at most {MAX_DIMS} are possible"
            ));
        }
        let dims = (0..dims).map(|_| reader.u64()).collect::<Result<_, _>>()?;
        let (code, offset) = (reader.u32()?, reader.u64()?);
        described.push((name, Description { dims, code, offset }));
    }
    Ok(described)
}

/// Checks that a described tensor lies within the file.
fn place(file: &MappedFile, name: &str, tensor: Description, data: u64) -> Result<GgufTensor, EngineError> {
    let path = file.path();
    let kind = TensorType::from_code(tensor.code).map_err(|what| EngineError::Unsupported {
        path: path.to_owned(),
        what: format!("tensor {name}: {what}"),
    })?;
    let row = tensor.dims.first().copied().unwrap_or(1);
    if row % kind.block_len() as u64 != 0 {
        let what = format!("tensor {name}: rows of {row} do not divide into {} blocks", kind.name());
        return Err(EngineError::format(path, what));
    }
    let count = tensor.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
    let bytes = count.and_then(|n| (n / kind.block_len() as u64).checked_mul(kind.block_bytes() as u64));
    let start = data.checked_add(tensor.offset);
    let end = start.zip(bytes).and_then(|(start, bytes)| start.checked_add(bytes));
    match (start, bytes, end) {
        (Some(start), Some(length), Some(end)) if end <= file.len() as u64 => Ok(GgufTensor {
            shape: tensor.dims.iter().rev().map(|&d| d as usize).collect(),
            kind,
            start: start as usize,
            length: length as usize,
        }),
        _ => {
            let what = format!(
                "tensor {name} ({}, {:?}) lies beyond the end of the file ({} bytes): cut short or damaged; fetch it again",
                kind.name(),
                tensor.dims,
                file.len()
            );
            Err(EngineError::format(path, what))
        }
    }
}
