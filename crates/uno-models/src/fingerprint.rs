//! What an adapter does to the log-probs of a few fixed texts: written when it is trained, compared when it is loaded,
//! here or on a server.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ModelsError;

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
    pub fn read(dir: &Path) -> Result<Option<Self>, ModelsError> {
        let path = dir.join(Self::FILE);
        let problem =
            |cause: String| ModelsError::format(&path, format!("{cause}; delete the file to go without it"));
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

/// Below this mean change of log-probs an adapter counts as without effect. Servers repeat a prompt's log-probs exactly
/// when nothing else runs; this only covers the odd last bit.
const NO_EFFECT: f64 = 1e-4;

/// Mean difference of log-probs that bf16 arithmetic explains (seen between f32 and vLLM's bf16: see examples/vllm).
const BF16: f64 = 0.06;

/// The same as a share of how far the adapter moves log-probs: the numbers that are rounded are larger then. Seen: 0.017,
/// with an adapter that moves them by 9.4 on average. Another adapter is off by about as much as no adapter.
const BF16_SHARE: f64 = 0.04;

/// Mean differences of log-probs between a fingerprint and what a model gives for its texts now.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Base to adapter, both measured now.
    pub(crate) moved: f64,
    /// Base now to the fingerprint's base.
    pub(crate) base_off: f64,
    /// Adapter now to the fingerprint's adapter.
    pub(crate) adapter_off: f64,
    /// Base now to the fingerprint's adapter: how far off one is without the adapter.
    pub(crate) mistaken: f64,
}

impl Measured {
    /// Of one text, given its log-probs under the base model and under the adapter now.
    pub(crate) fn of(prompt: &FingerprintPrompt, base: &[f32], adapter: &[f32]) -> Self {
        Self {
            moved: distance(base, adapter),
            base_off: distance(base, &prompt.base),
            adapter_off: distance(adapter, &prompt.adapter),
            mistaken: distance(base, &prompt.adapter),
        }
    }

    /// The mean over several texts.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        Self {
            moved: mean(|m| m.moved),
            base_off: mean(|m| m.base_off),
            adapter_off: mean(|m| m.adapter_off),
            mistaken: mean(|m| m.mistaken),
        }
    }

    /// Whether the adapter shows at all; an error says what may be wrong.
    pub(crate) fn effect(&self) -> Result<(), String> {
        if self.moved > NO_EFFECT {
            return Ok(());
        }
        Err("it answers exactly like the base model; do the module names of its weights fit the model, and was it \
             trained at all?"
            .into())
    }

    /// Whether base and adapter are those of the fingerprint; an error says which is not.
    pub(crate) fn judge(&self) -> Result<(), String> {
        // Quantised servers are off by more than bf16, with and without adapter alike.
        if self.base_off > 4.0 * BF16 {
            return Err(format!(
                "the base model is not the one the adapter was trained on: log-probs differ by {:.3} on average; \
                 serve that model, or run `uno learn` with this one",
                self.base_off
            ));
        }
        let tolerance = BF16.max(2.0 * self.base_off).max(BF16_SHARE * self.mistaken);
        if self.adapter_off > tolerance {
            return Err(format!(
                "other weights answer under its name: log-probs differ by {:.3} on average from those after training \
                 (tolerance {tolerance:.3}; the base model differs by {:.3})",
                self.adapter_off, self.mistaken
            ));
        }
        Ok(())
    }
}

/// Mean absolute difference; infinite when the lengths differ, which is never the same prompt, and when a number is none.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() || a.is_empty() {
        return f64::INFINITY;
    }
    let mean = a.iter().zip(b).map(|(x, y)| f64::from((x - y).abs())).sum::<f64>() / a.len() as f64;
    if mean.is_nan() { f64::INFINITY } else { mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(moved: f64, base_off: f64, adapter_off: f64, mistaken: f64) -> Result<(), String> {
        let measured = Measured { moved, base_off, adapter_off, mistaken };
        measured.effect().and_then(|()| measured.judge())
    }

    #[test]
    fn each_way_to_be_wrong_has_its_words() {
        assert_eq!(judge(0.4, 0.02, 0.02, 0.4), Ok(()));
        assert!(judge(0.0, 0.02, 0.4, 0.4).unwrap_err().contains("exactly like the base"));
        assert!(judge(0.4, 0.02, 0.5, 0.4).unwrap_err().contains("other weights"));
        // As a real vLLM gave them, of an adapter that always says the same word.
        assert_eq!(judge(9.4, 0.068, 0.158, 9.448), Ok(()));
        assert!(judge(9.4, 0.068, 0.5, 9.448).unwrap_err().contains("other weights"));
        assert!(judge(0.4, 2.0, 2.0, 2.0).unwrap_err().contains("not the one"));
        assert!(judge(0.4, f64::INFINITY, 0.0, 0.4).unwrap_err().contains("not the one"));
    }

    #[test]
    fn numbers_that_are_none_are_far_from_everything() {
        assert_eq!(distance(&[f32::NAN], &[0.0]), f64::INFINITY);
        assert_eq!(distance(&[1.0, 2.0], &[1.0]), f64::INFINITY);
        assert!((distance(&[1.0, 2.0], &[1.0, 4.0]) - 1.0).abs() < 1e-12);
    }
}
