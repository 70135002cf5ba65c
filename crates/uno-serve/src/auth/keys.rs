//! API keys. Only their hashes are kept: a key is 256 random bits, so a plain hash cannot be turned back.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ServeError;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Ask models.
    Chat,
    /// Give feedback.
    Feedback,
    /// The admin plane.
    Admin,
}

impl Scope {
    /// The word in files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Chat => "chat",
            Scope::Feedback => "feedback",
            Scope::Admin => "admin",
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What it is called in logs and metrics.
    pub name: String,
    /// BLAKE3 of the key, hexadecimal.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Most requests a minute; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Most tokens a minute, prompts and answers; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
}

/// All keys by hash.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<String, Arc<Key>>);

impl Keys {
    /// Reads a file of keys, one JSON object a line.
    ///
    /// # Errors
    /// When it cannot be read, or a line is wrong.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let wrong = |message: String| ServeError::Keys { path: path.display().to_string(), message };
        let text = fs_err::read_to_string(path)
            .map_err(|e| wrong(format!("{e}; make it with `uno keys add --file {}`", path.display())))?;
        let mut keys = HashMap::new();
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let key: Key = serde_json::from_str(line).map_err(|e| wrong(format!("line {}: {e}", i + 1)))?;
            keys.insert(key.hash.clone(), Arc::new(key));
        }
        Ok(Self(keys))
    }

    /// All keys, by name.
    pub fn list(&self) -> Vec<Key> {
        let mut all: Vec<Key> = self.0.values().map(|k| k.as_ref().clone()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The key that hashes so.
    pub fn find(&self, secret: &str) -> Option<Arc<Key>> {
        self.0.get(blake3::hash(secret.as_bytes()).to_hex().as_str()).cloned()
    }
}

/// A new secret and its hash.
pub fn new_key() -> (String, String) {
    let secret = format!("uno-{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let hash = blake3::hash(secret.as_bytes()).to_hex().to_string();
    (secret, hash)
}
