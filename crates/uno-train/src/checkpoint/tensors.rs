//! LoRA weights and Adam moments in one safetensors file.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use fs_err as fs;
use safetensors::tensor::{Dtype, SafeTensors, View};
use uno_engine::LoraWeights;

use super::files::rename;
use crate::optim::AdamW;

const PREFIX: &str = "state-";
const SUFFIX: &str = ".safetensors";
/// Each holds one number per LoRA weight, in the order of [`LoraWeights::as_slice`].
const NAMES: [&str; 3] = ["weights", "first_moments", "second_moments"];

/// Each resume point has a file of its own, so that the previous one stays valid while the next is written.
pub(crate) fn file_name(step: u64) -> String {
    format!("{PREFIX}{step}{SUFFIX}")
}

/// Borrowed f32 data, written without a copy (rank 64 on a small model already means 234 MB).
struct Flat<'a> {
    shape: [usize; 1],
    data: &'a [f32],
}

impl View for Flat<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(self.data))
    }

    fn data_len(&self) -> usize {
        size_of_val(self.data)
    }
}

/// Writes temp + rename and returns the hash of the contents.
pub(crate) fn write(path: &Path, weights: &LoraWeights, optimizer: &AdamW) -> io::Result<String> {
    let [first, second] = optimizer.moments();
    let parts = [weights.as_slice(), first, second];
    let entries = NAMES.into_iter().zip(parts).map(|(name, data)| (name, Flat { shape: [data.len()], data }));
    let temporary = path.with_extension("tmp");
    safetensors::serialize_to_file(entries, None, &temporary).map_err(io::Error::other)?;
    fs::File::open(&temporary)?.sync_all()?;
    rename(&temporary, path)?;
    Ok(hash(parts.into_iter().map(bytemuck::cast_slice)))
}

/// Fills weights and moments. The inner error says in words why the file cannot be used; nothing is filled in then.
pub(crate) fn read(
    path: &Path,
    stated: &str,
    weights: &mut LoraWeights,
    optimizer: &mut AdamW,
) -> io::Result<Result<(), &'static str>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("is missing")),
        Err(error) => return Err(error),
    };
    let Ok(file) = SafeTensors::deserialize(&bytes) else {
        return Ok(Err("is damaged"));
    };
    let length = size_of_val(weights.as_slice());
    let part = |name| file.tensor(name).ok().map(|t| t.data()).filter(|d| d.len() == length);
    let [Some(w), Some(m), Some(v)] = NAMES.map(part) else {
        return Ok(Err("has other tensors"));
    };
    if hash([w, m, v].into_iter()) != stated {
        return Ok(Err("is damaged"));
    }
    let [first, second] = optimizer.moments_mut();
    for (target, source) in [weights.as_mut_slice(), first, second].into_iter().zip([w, m, v]) {
        bytemuck::cast_slice_mut::<f32, u8>(target).copy_from_slice(source);
    }
    Ok(Ok(()))
}

fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    parts.for_each(|bytes| {
        hasher.update(bytes);
    });
    hasher.finalize().to_hex().to_string()
}

/// Removes resume files that `state.json` does not name, and temporary ones a crash left.
pub(crate) fn remove_others(dir: &Path, keep: Option<&str>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with(PREFIX) && (name.ends_with(SUFFIX) || name.ends_with(".tmp"));
        if ours && Some(name) != keep {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
