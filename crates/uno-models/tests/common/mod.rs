//! Pulled models and goldens.

#![allow(
    dead_code,
    clippy::print_stderr,
    reason = "each test file uses another part, and a skipped test says so"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The path of a pulled model, or `None` with a loud word.
pub fn pulled(relative: &str) -> Option<PathBuf> {
    let home = std::env::var_os("UNO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/uno")))?;
    let path = home.join("models").join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there; run `uno models pull`", path.display());
    None
}

/// A file of `tests/fixtures`.
pub fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Token ids in JSON.
pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}
