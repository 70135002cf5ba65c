//! How much memory a run will take, before it takes it.

use serde::{Deserialize, Serialize};
use uno_engine::{LoraWeights, ModelConfig, Packed, PassMemory, available_mib};

use crate::config::{Checkpointing, Loss, TrainConfig};
use crate::data::{Example, PreferenceExample, SftExample};
use crate::error::{TrainError, engine};
use crate::pack::{self, pack_completions, pack_preferences};

const MIB: f64 = (1 << 20) as f64;

/// The program itself with its libraries, the tokenizer, and the packing buffers of the matrix products. An estimate:
/// `uno bench train --json` prints `planned_mib` beside `peak_rss_mib` to check it by.
const PROGRAM_MIB: f64 = 64.0;

/// What parts of a run take, in MiB.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// The program, its libraries and the tokenizer.
    pub program: f64,
    /// The frozen weights.
    pub weights: f64,
    /// Their bf16 copies and the adapter's, when training multiplies in bf16.
    pub packs: f64,
    /// The adapter.
    pub adapter: f64,
    /// Its gradients.
    pub gradients: f64,
    /// The optimiser's two moments.
    pub optimizer: f64,
    /// What the backward keeps of the blocks.
    pub activations: f64,
    /// Buffers of one block at a time.
    pub scratch: f64,
    /// Logits, and the rows that predict a target.
    pub head: f64,
    /// Tokens of the largest pass.
    pub tokens: usize,
    /// Blocks of the largest pass whose forward is computed twice.
    pub recomputed_blocks: usize,
}

impl MemoryPlan {
    /// Everything: what the process's resident memory will peak at.
    pub fn total(&self) -> f64 {
        self.program
            + self.weights
            + self.packs
            + self.adapter
            + self.gradients
            + self.optimizer
            + self.passes()
    }

    /// What passes take besides weights and adapter.
    fn passes(&self) -> f64 {
        self.activations + self.scratch + self.head
    }

    /// Plans a run whose examples are as long as the settings and the model allow: two completions that fill the context
    /// after a quarter of it as prompt, or one after a prompt of a single token.
    ///
    /// # Errors
    /// Settings that are out of range or name a projection that the model lacks, and a run that cannot fit in `budget` MiB.
    pub fn longest(
        model: &ModelConfig,
        weights: usize,
        config: &TrainConfig,
        budget: Option<f64>,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let length = config.max_length.min(model.max_positions);
        let (prompt, completion) = (vec![0; length / 4], vec![0; length - length / 4]);
        let id = "the longest that is allowed".to_owned();
        let packed = match config.loss {
            Loss::DpoSft { .. } => {
                let example =
                    PreferenceExample { id, prompt, chosen: completion.clone(), rejected: completion };
                pack_preferences(&vec![&example; config.micro_batch]).0
            }
            Loss::Sft => {
                let example = SftExample { id, prompt, completion };
                pack_completions(&vec![&example; config.micro_batch]).0
            }
        };
        Self::of_passes(model, weights, config, std::iter::once(packed), std::iter::empty(), budget)
    }

    /// Plans a run over these examples, and those that are only scored: every pass of every epoch is looked at. `weights`
    /// counts the frozen weights' bytes.
    pub(crate) fn of_examples(
        model: &ModelConfig,
        weights: usize,
        config: &TrainConfig,
        (examples, held_out): (&[Example<'_>], &[Example<'_>]),
        budget: Option<f64>,
    ) -> Result<Self, TrainError> {
        let packed = |examples: &[Example<'_>]| {
            let mut packed = Packed::new();
            examples.iter().for_each(|example| example.push_to(&mut packed));
            packed
        };
        let passes = pack::passes_of_run(examples, config).map(|pass| packed(&pass));
        let scored = held_out.iter().map(|example| packed(std::slice::from_ref(example)));
        Self::of_passes(model, weights, config, passes, scored, budget)
    }

    fn of_passes(
        model: &ModelConfig,
        weights: usize,
        config: &TrainConfig,
        passes: impl Iterator<Item = Packed>,
        scored: impl Iterator<Item = Packed>,
        budget: Option<f64>,
    ) -> Result<Self, TrainError> {
        let lora = config.lora();
        let planning = || engine(|| "planning the memory".into());
        let dropout = config.effective_dropout() > 0.0;
        let numbers = LoraWeights::numbers(model, &lora).map_err(planning())?;
        let adapter = (numbers * size_of::<f32>()) as f64 / MIB;
        let mut plan = Self {
            program: PROGRAM_MIB,
            weights: weights as f64 / MIB,
            adapter,
            gradients: adapter,
            optimizer: 2.0 * adapter,
            ..Self::default()
        };
        plan.packs = ((model.parameters() + numbers) * config.precision.packed_bytes()) as f64 / MIB;
        // Two rounds: what is not activations is the same whatever is recomputed, and says how much is left for them.
        let all: Vec<Packed> = passes.collect();
        let scored: Vec<Packed> = scored.collect();
        for packed in all.iter().chain(&scored) {
            let pass = PassMemory::of(model, &lora, packed, dropout, Some(0)).map_err(planning())?;
            plan.scratch = plan.scratch.max(pass.scratch as f64 / MIB);
            plan.head = plan.head.max(pass.head as f64 / MIB);
            plan.activations = plan.activations.max(pass.activations as f64 / MIB);
        }
        if let Some(budget) = budget.filter(|budget| plan.total() > *budget) {
            return Err(plan.refusal(budget));
        }
        let least = plan.activations;
        let limit = plan.activation_limit(config.checkpointing, budget);
        for packed in all {
            let pass = PassMemory::of(model, &lora, &packed, dropout, limit).map_err(planning())?;
            plan.activations = plan.activations.max(pass.activations as f64 / MIB);
            if packed.tokens() > plan.tokens {
                (plan.tokens, plan.recomputed_blocks) = (packed.tokens(), pass.recomputed_blocks);
            }
        }
        match budget {
            // Only when nothing may be recomputed.
            Some(budget) if plan.total() > budget => Err(TrainError::Memory {
                needed: plan.total(),
                budget,
                advice: format!("set checkpointing to \"auto\": {least:.0} MiB of activations would do"),
            }),
            _ => Ok(plan),
        }
    }

    /// Bytes of activations that a workspace may keep.
    fn activation_limit(&self, checkpointing: Checkpointing, budget: Option<f64>) -> Option<usize> {
        match (checkpointing, budget) {
            (Checkpointing::Never, _) | (Checkpointing::Auto, None) => None,
            (Checkpointing::Always, _) => Some(0),
            (Checkpointing::Auto, Some(budget)) => {
                let left = budget - (self.total() - self.activations);
                Some((left.max(0.0) * MIB) as usize)
            }
        }
    }

    /// The limit for the workspace of the run that was planned.
    pub(crate) fn limit(&self, config: &TrainConfig) -> Option<usize> {
        match config.checkpointing {
            Checkpointing::Never => None,
            Checkpointing::Always => Some(0),
            // What was planned is what is kept: the plan's activations stay within the budget.
            Checkpointing::Auto => Some((self.activations * MIB).ceil() as usize),
        }
    }

    fn refusal(&self, budget: f64) -> TrainError {
        let adapter = self.adapter + self.gradients + self.optimizer;
        let advice = if self.passes() > adapter {
            format!("lower max_length or micro_batch: passes take {:.0} MiB of it", self.passes())
        } else {
            format!("lower rank: the adapter with gradients and moments takes {adapter:.0} MiB of it")
        };
        TrainError::Memory { needed: self.total(), budget, advice }
    }
}

/// Memory in MiB that a run may take in all: what the settings say, or else nine tenths of what is available, and
/// `loaded` bytes of weights that are in memory already. `None` where neither is known.
pub fn budget_mib(config: &TrainConfig, loaded: usize) -> Option<f64> {
    match config.max_memory_mib {
        0 => available_mib().map(|available| {
            let there = if loaded > 0 { loaded as f64 / MIB + PROGRAM_MIB } else { 0.0 };
            0.9 * available + there
        }),
        mib => Some(mib as f64),
    }
}
