//! What an adapter does to the log-probs of a few fixed texts, written when it is trained and compared when it is served.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::RemoteError;

/// `fingerprint.json` in an adapter's directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The texts.
    pub prompts: Vec<FingerprintPrompt>,
}

/// One text of a fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FingerprintPrompt {
    /// Token ids of the text.
    pub tokens: Vec<u32>,
    /// Natural-log probability of `tokens[1..]` under the base model, one each.
    pub base: Vec<f32>,
    /// The same with the adapter.
    pub adapter: Vec<f32>,
}

impl Fingerprint {
    /// File name in the adapter's directory.
    pub const FILE: &'static str = "fingerprint.json";

    /// Reads the fingerprint of an adapter's directory; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or makes no sense.
    pub fn read(dir: &Path) -> Result<Option<Self>, RemoteError> {
        let path = dir.join(Self::FILE);
        let problem = |cause: String| {
            RemoteError::Config(format!("{}: {cause}; delete the file to go without it", path.display()))
        };
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(problem(e.to_string())),
        };
        let read: Self = serde_json::from_slice(&text).map_err(|e| problem(e.to_string()))?;
        let sound = |p: &FingerprintPrompt| {
            p.tokens.len() > 1 && p.base.len() == p.tokens.len() - 1 && p.adapter.len() == p.base.len()
        };
        if read.prompts.is_empty() || !read.prompts.iter().all(sound) {
            return Err(problem("every prompt needs one log-prob per token after the first".into()));
        }
        Ok(Some(read))
    }

    /// Writes the fingerprint into an adapter's directory.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let path = dir.join(Self::FILE);
        let temporary = dir.join(".fingerprint.json.partial");
        fs_err::write(&temporary, serde_json::to_vec(self)?)?;
        fs_err::rename(temporary, path)
    }
}
