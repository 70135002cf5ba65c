//! How a run trains. The defaults are the published ones (METHOD §5).

use serde::{Deserialize, Serialize};
use uno_engine::{LoraConfig, Target};

use crate::backend::Backend;
use crate::loss::DpoSettings;
use crate::numbers::TrainPrecision;
use crate::optim::AdamWSettings;

/// Settings of one training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Who trains: `native` (the embedded engine, on the CPU) or `trl` (TRL in a Python process, on GPUs: table `trl`).
    /// Critics go where Experts go unless `critic.backend` says otherwise.
    pub backend: Backend,
    /// Rank of the LoRA matrices.
    pub rank: usize,
    /// LoRA alpha; the adapter's output is scaled with alpha / rank.
    pub alpha: f32,
    /// Share of the adapter's inputs that is zeroed, 0–1 (exclusive). Off for DPO unless `dropout_in_dpo`.
    pub dropout: f32,
    /// Whether DPO trains with dropout; TRL switches it off, so the default is false.
    pub dropout_in_dpo: bool,
    /// Projections that get an adapter, by PEFT's module names (`q_proj`, …).
    #[serde(with = "module_names")]
    pub targets: Vec<Target>,
    /// Peak learning rate; it decays along a cosine to 0, without warm-up.
    pub lr: f64,
    /// AdamW's β₁ and β₂.
    pub betas: (f64, f64),
    /// AdamW's ε.
    pub eps: f64,
    /// Decoupled weight decay, on every LoRA tensor.
    pub weight_decay: f64,
    /// Passes over the data; each leaves a checkpoint.
    pub epochs: usize,
    /// Examples per optimiser step.
    pub batch: usize,
    /// Examples that a loss is a mean over; the losses of `batch / micro_batch` such groups are averaged, as TRL accumulates
    /// gradients.
    pub micro_batch: usize,
    /// Groups of a step go through the model together while they have no more tokens than this; 0: each by itself. Changes
    /// speed and memory, and results only in their last bits (with dropout, other elements are dropped).
    pub pack_tokens: usize,
    /// Whether blocks' activations are computed again in the backward instead of being kept: `auto` where they would not
    /// fit in memory, `always` or `never`. Changes speed and memory, but no bit of the results.
    pub checkpointing: Checkpointing,
    /// Memory that training may take in all, in MiB; 0: nine tenths of what the machine has available.
    pub max_memory_mib: usize,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
    /// DPO's β.
    pub beta: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Seed of the initial weights, the order of the examples and dropout.
    pub seed: u64,
    /// Longest prompt + completion in tokens; longer examples are refused, never cut.
    pub max_length: usize,
    /// Optimiser steps between resume points (there is one after each epoch in any case).
    pub checkpoint_every_steps: usize,
    /// Numbers in which frozen weights are multiplied: `f32`; `mixed`, where only gradients go through bf16 (a fifth faster,
    /// 0.25 GB more for a model of 135 M parameters; f32 on machines without AVX512-BF16); `bf16` in both directions (faster
    /// again, but it changes gradients and margins: see docs/ARCHITECTURE.md). With `trl`, `bf16` loads the base in bf16.
    pub precision: TrainPrecision,
    /// Writes `events.out.tfevents.uno` beside `training.jsonl`, for `tensorboard --logdir RUN/training`.
    pub tensorboard: bool,
    /// Reproduces a quirk of TRL 0.24: chosen targets with id 0 are left out of the likelihood term of DPO+SFT. TRL itself
    /// does so whatever this says.
    pub ignore_id_zero: bool,
    /// The run stops when the loss stays above this multiple of its running median (the lowest one so far, but at least 1)
    /// for three steps.
    pub explosion_ratio: f64,
    /// Loss of log-probability per token of the chosen answers against the base, in nats. Beyond it, and falling, an epoch's
    /// adapter has to answer a few prompts, and the run stops if its answers are longer or more repetitive than the
    /// base's. 0: never.
    pub collapse_drop: f64,
}

/// When blocks' activations are computed again in the backward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpointing {
    /// For as many blocks as memory requires.
    #[default]
    Auto,
    /// For all blocks but the last.
    Always,
    /// For none.
    Never,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// Preference pairs: a weighted sum of DPO-sigmoid and the likelihood of the chosen completion.
    DpoSft {
        /// Weight of the sigmoid term.
        dpo_weight: f64,
        /// Weight of the likelihood term.
        sft_weight: f64,
    },
    /// Completions: negative log-likelihood.
    Sft,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            backend: Backend::Native,
            rank: 64,
            alpha: 128.0,
            dropout: 0.05,
            dropout_in_dpo: false,
            targets: vec![Target::Q, Target::K, Target::V, Target::O, Target::Gate, Target::Up, Target::Down],
            lr: 5e-4,
            betas: (0.9, 0.98),
            eps: 1e-8,
            weight_decay: 1e-4,
            epochs: 8,
            batch: 8,
            micro_batch: 1,
            pack_tokens: 0,
            checkpointing: Checkpointing::Auto,
            max_memory_mib: 0,
            max_grad_norm: 1.0,
            beta: 0.1,
            loss: Loss::DpoSft { dpo_weight: 0.5, sft_weight: 0.5 },
            seed: 42,
            max_length: 12_000,
            checkpoint_every_steps: 10,
            precision: TrainPrecision::default(),
            tensorboard: false,
            ignore_id_zero: false,
            explosion_ratio: 10.0,
            collapse_drop: 0.5,
        }
    }
}

impl TrainConfig {
    /// The published settings of an Expert: DPO+SFT on pairs, up to 12 000 tokens.
    pub fn expert() -> Self {
        Self::default()
    }

    /// The published settings of a Critic: SFT on rules, up to 8 000 tokens.
    pub fn critic() -> Self {
        Self { loss: Loss::Sft, max_length: 8_000, ..Self::default() }
    }

    /// Shape of the adapter.
    pub fn lora(&self) -> LoraConfig {
        LoraConfig { rank: self.rank, alpha: self.alpha, targets: self.targets.clone() }
    }

    /// Constants of the optimiser.
    pub(crate) fn adamw(&self) -> AdamWSettings {
        AdamWSettings {
            beta1: self.betas.0,
            beta2: self.betas.1,
            eps: self.eps,
            weight_decay: self.weight_decay,
        }
    }

    /// Constants of the preference loss; `None` for SFT.
    pub(crate) fn dpo(&self) -> Option<DpoSettings> {
        match self.loss {
            Loss::DpoSft { dpo_weight, sft_weight } => Some(DpoSettings {
                beta: self.beta,
                dpo_weight,
                sft_weight,
                ignore_id_zero: self.ignore_id_zero,
            }),
            Loss::Sft => None,
        }
    }

    /// The dropout that training really uses.
    pub(crate) fn effective_dropout(&self) -> f32 {
        match self.loss {
            Loss::DpoSft { .. } if !self.dropout_in_dpo => 0.0,
            Loss::DpoSft { .. } | Loss::Sft => self.dropout,
        }
    }

    /// Optimiser steps of an epoch over `examples`: the last step may hold fewer.
    pub fn steps_per_epoch(&self, examples: usize) -> u64 {
        examples.div_ceil(self.batch) as u64
    }
}

/// Targets as the words of PEFT's `target_modules`.
mod module_names {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uno_engine::Target;

    pub(super) fn serialize<S: Serializer>(targets: &[Target], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(targets.iter().map(|t| t.module()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let target = |name: &String| {
            let known = || Target::ALL.map(Target::module).join(", ");
            Target::from_module(name)
                .ok_or_else(|| D::Error::custom(format!("unknown target {name:?}: use {}", known())))
        };
        names.iter().map(target).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_json() {
        for config in [TrainConfig::expert(), TrainConfig::critic()] {
            config.validate().unwrap();
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), config);
        }
    }

    #[test]
    fn refusals_name_setting_value_and_range() {
        let bad = [
            (TrainConfig { rank: 0, ..Default::default() }, "`rank` is 0, but must be 1–1024"),
            (
                TrainConfig { dropout: 1.0, ..Default::default() },
                "`dropout` is 1, but must be from 0 to below 1",
            ),
            (TrainConfig { lr: f64::NAN, ..Default::default() }, "`lr` is NaN"),
            (
                TrainConfig { micro_batch: 9, ..Default::default() },
                "`micro_batch` is 9, but must be from 1 to `batch`",
            ),
            (
                TrainConfig { loss: Loss::DpoSft { dpo_weight: 0.0, sft_weight: 0.0 }, ..Default::default() },
                "`loss.sft_weight`",
            ),
        ];
        for (config, words) in bad {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn dropout_is_off_for_dpo_unless_asked_for() {
        assert_eq!(TrainConfig::expert().effective_dropout(), 0.0);
        assert_eq!(TrainConfig { dropout_in_dpo: true, ..TrainConfig::expert() }.effective_dropout(), 0.05);
        assert_eq!(TrainConfig::critic().effective_dropout(), 0.05);
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(serde_json::from_str::<TrainConfig>(r#"{"lerning_rate": 1}"#).is_err());
        let error = serde_json::from_str::<TrainConfig>(r#"{"targets": ["q"]}"#).unwrap_err().to_string();
        assert!(error.contains("unknown target \"q\": use q_proj"), "{error}");
    }
}
