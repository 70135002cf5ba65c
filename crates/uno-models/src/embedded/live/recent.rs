//! Beginnings that requests have in common with earlier ones: a system prompt, or the turns of a conversation so far.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use uno_engine::LoraWeights;

use crate::embedded::prompt::{WORTH_SHARING, common_length};

/// Prompts that are remembered.
const KEPT: usize = 32;
/// Most tokens that are computed apart at once: rows in flight wait meanwhile.
const AT_ONCE: usize = 256;

/// The prompts of the last requests.
#[derive(Default)]
pub(super) struct RecentPrompts(VecDeque<(Option<Weak<LoraWeights>>, Vec<u32>)>);

impl RecentPrompts {
    /// The beginning of `prompt` that is worth computing once, as `Job::shared` has it, and remembers the prompt. `kept`: how much of
    /// a prompt is at hand already.
    pub(super) fn shared(
        &mut self,
        prompt: &[u32],
        adapter: Option<&Arc<LoraWeights>>,
        kept: impl FnOnce(&[u32]) -> usize,
    ) -> Vec<usize> {
        let same = |other: &Option<Weak<LoraWeights>>| match (other, adapter) {
            (None, None) => true,
            (Some(other), Some(adapter)) => std::ptr::eq(other.as_ptr(), Arc::as_ptr(adapter)),
            _ => false,
        };
        let alike = self.0.iter().filter(|(other, _)| same(other));
        let common = alike.map(|(_, ids)| common_length(ids, prompt)).max().unwrap_or(0);
        self.0.push_back((adapter.map(Arc::downgrade), prompt.to_vec()));
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
        // The last prompt token is always fed by the row itself, which needs the logits after it.
        let common = common.min(prompt.len() - 1);
        if common < WORTH_SHARING {
            return Vec::new();
        }
        let kept = kept(prompt);
        let length = common.min(kept + AT_ONCE);
        if length >= kept + WORTH_SHARING { vec![length] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_prompts_begin_with_is_computed_once_in_portions() {
        const NONE: [usize; 0] = [];
        let mut recent = RecentPrompts::default();
        let prompt = |end: u32| -> Vec<u32> { (0..600).chain([1000 + end]).collect() };
        let mut ask = |end, kept| recent.shared(&prompt(end), None, |_| kept);
        assert_eq!(ask(1, 0), NONE, "nobody asked before");
        assert_eq!(ask(2, 0), [256]);
        assert_eq!(ask(3, 256), [512]);
        assert_eq!(ask(4, 512), [600]);
        assert_eq!(ask(5, 600), NONE, "it is at hand");
        assert_eq!(recent.shared(&[0, 1, 2, 7], None, |_| 0), NONE, "too short to be worth it");
        for end in 0..100 {
            recent.shared(&prompt(end), None, |_| 0);
        }
        assert_eq!(recent.0.len(), KEPT);
    }
}
