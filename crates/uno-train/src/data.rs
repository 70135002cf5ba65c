//! Examples as token ids, and which of them may be trained on.

use serde::{Deserialize, Serialize};
use uno_engine::Decoder;

use crate::config::{Loss, TrainConfig};
use crate::error::TrainError;

/// A preference pair. The ids are as the serving template renders them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferenceExample {
    /// Id of the record the pair came from.
    pub id: String,
    /// The prompt, up to and with the generation prompt.
    pub prompt: Vec<u32>,
    /// The better completion, with its end-of-turn tokens.
    pub chosen: Vec<u32>,
    /// The worse completion, with its end-of-turn tokens.
    pub rejected: Vec<u32>,
}

/// A prompt and the completion to learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftExample {
    /// Id of the record the example came from.
    pub id: String,
    /// The prompt, up to and with the generation prompt.
    pub prompt: Vec<u32>,
    /// The completion, with its end-of-turn tokens.
    pub completion: Vec<u32>,
}

/// What a run trains or validates on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainData {
    /// For [`Loss::DpoSft`].
    Preferences(Vec<PreferenceExample>),
    /// For [`Loss::Sft`].
    Completions(Vec<SftExample>),
}

/// An example that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Id of the record.
    pub id: String,
    /// Why, in words.
    pub reason: String,
}

/// One example that passed, borrowed from the data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Example<'a> {
    Preference(&'a PreferenceExample),
    Completion(&'a SftExample),
}

impl<'a> Example<'a> {
    pub(crate) fn id(&self) -> &'a str {
        match self {
            Example::Preference(e) => &e.id,
            Example::Completion(e) => &e.id,
        }
    }

    pub(crate) fn prompt(&self) -> &'a [u32] {
        match self {
            Example::Preference(e) => &e.prompt,
            Example::Completion(e) => &e.prompt,
        }
    }

    fn completions(&self) -> impl Iterator<Item = (&'static str, &'a [u32])> {
        let (first, second) = match self {
            Example::Preference(e) => {
                (("chosen", e.chosen.as_slice()), Some(("rejected", e.rejected.as_slice())))
            }
            Example::Completion(e) => (("completion", e.completion.as_slice()), None),
        };
        std::iter::once(first).chain(second)
    }

    /// Tokens as one sequence per completion, which is how TRL counts them (2 × prompt + chosen + rejected).
    pub(crate) fn unpacked_tokens(&self) -> usize {
        self.completions().map(|(_, ids)| self.prompt().len() + ids.len()).sum()
    }

    /// Tokens that go through the model: the prompt once.
    pub(crate) fn packed_tokens(&self) -> usize {
        self.prompt().len() + self.completions().map(|(_, ids)| ids.len()).sum::<usize>()
    }

    /// Hash of the token ids: equal for equal examples, whatever their record id.
    pub(crate) fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for ids in std::iter::once(self.prompt()).chain(self.completions().map(|(_, ids)| ids)) {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            for id in ids {
                hasher.update(&id.to_le_bytes());
            }
        }
        hasher.finalize()
    }
}

/// Limits that the model and the settings set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_length: usize,
    pub(crate) context: usize,
    pub(crate) vocabulary: usize,
}

impl Limits {
    /// Those of a model and its settings.
    pub(crate) fn of(decoder: &Decoder, config: &TrainConfig) -> Self {
        let model = decoder.config();
        Self { max_length: config.max_length, context: model.max_positions, vocabulary: model.vocab_size }
    }

    fn refuse(&self, example: &Example<'_>) -> Option<String> {
        let prompt = example.prompt();
        if prompt.is_empty() {
            return Some("the prompt is empty".into());
        }
        for (name, ids) in example.completions() {
            if ids.is_empty() {
                return Some(format!("the {name} text is empty"));
            }
            let length = prompt.len() + ids.len();
            if length > self.max_length {
                return Some(format!(
                    "prompt and {name} text have {length} tokens, max_length is {}",
                    self.max_length
                ));
            }
            if length > self.context {
                return Some(format!(
                    "prompt and {name} text have {length} tokens, the model's context is {}",
                    self.context
                ));
            }
            if let Some(id) = prompt.iter().chain(ids).find(|id| **id as usize >= self.vocabulary) {
                return Some(format!("token id {id} is outside the vocabulary of {}", self.vocabulary));
            }
        }
        match example {
            Example::Preference(e) if e.chosen == e.rejected => {
                Some("chosen and rejected text are equal".into())
            }
            Example::Preference(_) | Example::Completion(_) => None,
        }
    }
}

impl TrainData {
    /// How many examples there are.
    pub fn len(&self) -> usize {
        match self {
            TrainData::Preferences(examples) => examples.len(),
            TrainData::Completions(examples) => examples.len(),
        }
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn examples(&self) -> Vec<Example<'_>> {
        match self {
            TrainData::Preferences(examples) => examples.iter().map(Example::Preference).collect(),
            TrainData::Completions(examples) => examples.iter().map(Example::Completion).collect(),
        }
    }

    /// Checks that the loss can be computed from these examples. `role` is "training" or "validation".
    pub(crate) fn fits(&self, config: &TrainConfig, role: &'static str) -> Result<(), TrainError> {
        const PAIRS: &str = "preference pairs";
        const COMPLETIONS: &str = "completions";
        match (self, config.loss) {
            (TrainData::Preferences(_), Loss::DpoSft { .. }) | (TrainData::Completions(_), Loss::Sft) => {
                Ok(())
            }
            (TrainData::Preferences(_), Loss::Sft) => {
                Err(TrainError::DataKind { loss: "sft", role, needs: COMPLETIONS, holds: PAIRS })
            }
            (TrainData::Completions(_), Loss::DpoSft { .. }) => {
                Err(TrainError::DataKind { loss: "dpo_sft", role, needs: PAIRS, holds: COMPLETIONS })
            }
        }
    }

    /// Splits the examples into those that may be used and those refused, each refusal with its reason.
    pub(crate) fn admit(&self, limits: &Limits) -> (Vec<Example<'_>>, Vec<Refused>) {
        let (mut admitted, mut refused) = (Vec::new(), Vec::new());
        for example in self.examples() {
            match limits.refuse(&example) {
                None => admitted.push(example),
                Some(reason) => refused.push(Refused { id: example.id().to_owned(), reason }),
            }
        }
        (admitted, refused)
    }

    /// [`TrainData::admit`] for training, which needs data that fit the loss and an example at least.
    pub(crate) fn to_train_on(
        &self,
        config: &TrainConfig,
        limits: &Limits,
    ) -> Result<(Vec<Example<'_>>, Vec<Refused>), TrainError> {
        self.fits(config, "training")?;
        let (examples, refused) = self.admit(limits);
        if examples.is_empty() {
            let first = refused.first().map(|r| format!("record {}: {}", r.id, r.reason));
            return Err(TrainError::NoExamples { refused: refused.len(), first });
        }
        Ok((examples, refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: &str, prompt: &[u32], chosen: &[u32], rejected: &[u32]) -> PreferenceExample {
        PreferenceExample {
            id: id.into(),
            prompt: prompt.into(),
            chosen: chosen.into(),
            rejected: rejected.into(),
        }
    }

    #[test]
    fn refuses_with_id_and_reason_and_never_cuts() {
        let data = TrainData::Preferences(vec![
            pair("good", &[1, 2], &[3], &[4]),
            pair("long", &[1, 2], &[3], &[4; 9]),
            pair("empty", &[1], &[], &[4]),
            pair("same", &[1], &[4], &[4]),
            pair("alien", &[1], &[4], &[99]),
        ]);
        let (admitted, refused) = data.admit(&Limits { max_length: 10, context: 64, vocabulary: 50 });
        assert_eq!(admitted.iter().map(Example::id).collect::<Vec<_>>(), ["good"]);
        let words: Vec<_> = refused.iter().map(|r| format!("{}: {}", r.id, r.reason)).collect();
        assert_eq!(words[0], "long: prompt and rejected text have 11 tokens, max_length is 10");
        assert!(words[1].starts_with("empty: the chosen text is empty"));
        assert!(words[2].starts_with("same:"));
        assert!(words[3].starts_with("alien: token id 99"));
    }

    #[test]
    fn hash_tells_where_prompt_ends() {
        let (a, b) = (pair("x", &[1, 2], &[3], &[4]), pair("x", &[1], &[2, 3], &[4]));
        assert_ne!(Example::Preference(&a).hash(), Example::Preference(&b).hash());
        let c = pair("other id", &[1, 2], &[3], &[4]);
        assert_eq!(Example::Preference(&a).hash(), Example::Preference(&c).hash());
    }

    #[test]
    fn kind_must_fit_the_loss() {
        let data = TrainData::Completions(Vec::new());
        let message = data.fits(&TrainConfig::expert(), "training").unwrap_err().to_string();
        assert_eq!(
            message,
            "the dpo_sft loss needs preference pairs, but the training data holds completions"
        );
    }
}
