//! Content hashes of files and values.

use std::path::Path;

use serde::Serialize;

use crate::StoreError;

/// BLAKE3 of the file's content, 64 hex digits.
///
/// # Errors
/// When the file cannot be read.
pub fn of_file(path: &Path) -> Result<String, StoreError> {
    let mut hasher = blake3::Hasher::new();
    let file = fs_err::File::open(path).map_err(|e| StoreError::io("read", path, e))?;
    hasher.update_reader(file).map_err(|e| StoreError::io("read", path, e))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// BLAKE3 of the value's JSON, 64 hex digits. Maps must be sorted (serde_json's own are) for the hash to be stable.
pub fn of_value<T: Serialize>(value: &T) -> String {
    // Serialising plain data to memory fails only for non-string map keys, which no type of ours has; an empty
    // document then merely makes the hash unspecific, so a stage would run once more.
    let json = serde_json::to_vec(value).unwrap_or_default();
    of_bytes(&json)
}

/// BLAKE3 of bytes, 64 hex digits.
pub fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// BLAKE3 of a file, or of the names and contents of all files below a directory.
///
/// # Errors
/// When something cannot be read.
pub fn of_path(path: &Path) -> Result<String, StoreError> {
    if !path.is_dir() {
        return of_file(path);
    }
    let fail = |e| StoreError::io("read", path, e);
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(path).map_err(fail)? {
        entries.push(entry.map_err(fail)?.path());
    }
    entries.sort();
    let parts: Result<Vec<_>, StoreError> = entries
        .iter()
        .map(|p| Ok((p.file_name().map(|n| n.to_string_lossy().into_owned()), of_path(p)?)))
        .collect();
    Ok(of_value(&parts?))
}
