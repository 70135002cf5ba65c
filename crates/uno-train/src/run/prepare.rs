//! Which examples take part, their references, and the fingerprint that tells one run from another.

use std::path::Path;

use uno_engine::{Decoder, LoraWeights, Precision, Workspace};

use super::output::Output;
use super::stepper::Item;
use crate::config::{Checkpointing, TrainConfig};
use crate::data::{Example, Limits, Refused, TrainData};
use crate::error::TrainError;
use crate::event::TrainEvent;
use crate::reference::References;

/// Examples that passed, and everything else that is settled before the first step.
pub(crate) struct Prepared<'a> {
    pub(crate) examples: Vec<Example<'a>>,
    pub(crate) held_out: Vec<Example<'a>>,
    pub(crate) refused: Vec<Refused>,
    /// Changes when anything changes that the weights depend on.
    pub(crate) fingerprint: String,
    pub(crate) total_steps: u64,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(
        decoder: &Decoder,
        data: &'a TrainData,
        validation: Option<&'a TrainData>,
        config: &TrainConfig,
        initial: &LoraWeights,
    ) -> Result<Self, TrainError> {
        let limits = Limits::of(decoder, config);
        let (examples, mut refused) = data.to_train_on(config, &limits)?;
        let mut held_out = Vec::new();
        if let Some(validation) = validation {
            validation.fits(config, "validation")?;
            let (admitted, more) = validation.admit(&limits);
            held_out = admitted;
            refused.extend(more);
        }
        let fingerprint = fingerprint(decoder, config, initial, &examples, &held_out);
        let total_steps = config.steps_per_epoch(examples.len()) * config.epochs as u64;
        Ok(Self { examples, held_out, refused, fingerprint, total_steps })
    }

    /// Gives every pair its reference log-probabilities, computing those that no earlier run left.
    pub(crate) fn measure_references(
        &self,
        decoder: &Decoder,
        dir: &Path,
        output: &mut Output<'_>,
        workspace: &mut Workspace,
    ) -> Result<(Vec<Item<'a>>, Vec<Item<'a>>), TrainError> {
        let mut references: Option<References> = None;
        let total = self.examples.len() + self.held_out.len();
        let mut items = Vec::with_capacity(total);
        for example in self.examples.iter().chain(&self.held_out) {
            items.push(match example {
                Example::Completion(example) => Item::Completion(example),
                Example::Preference(pair) => {
                    let references = match &mut references {
                        Some(references) => references,
                        none => none
                            .insert(References::open(dir, &base_id(decoder, workspace.products().forward))?),
                    };
                    let reference = references.of(decoder, pair, example.hash(), workspace)?;
                    output.tell(TrainEvent::Reference { done: items.len() + 1, total })?;
                    Item::Preference(pair, reference)
                }
            });
        }
        let held_out = items.split_off(self.examples.len());
        Ok((items, held_out))
    }
}

/// Log-probabilities of another precision are those of another base.
fn base_id(decoder: &Decoder, precision: Precision) -> String {
    match precision {
        Precision::F32 => decoder.hash().to_owned(),
        Precision::Bf16 => format!("{}+bf16", decoder.hash()),
        Precision::Int8 => format!("{}+int8", decoder.hash()),
    }
}

fn fingerprint(
    decoder: &Decoder,
    config: &TrainConfig,
    initial: &LoraWeights,
    examples: &[Example<'_>],
    held_out: &[Example<'_>],
) -> String {
    // How often resume points are written, where activations come from and what is written for people change no weight.
    let config = TrainConfig {
        checkpoint_every_steps: 1,
        checkpointing: Checkpointing::Auto,
        max_memory_mib: 0,
        tensorboard: false,
        ..config.clone()
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(decoder.hash().as_bytes());
    hasher.update(format!("{config:?}").as_bytes());
    hasher.update(bytemuck::cast_slice(initial.as_slice()));
    for part in [examples, held_out] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        part.iter().for_each(|example| {
            hasher.update(example.hash().as_bytes());
        });
    }
    hasher.finalize().to_hex().to_string()
}
