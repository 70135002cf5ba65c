//! The ways in which a trained system learns and answers, and the settings of each.

use uno_learn::route::Policy;
use uno_train::Loss;

use crate::bench::ablations::{Ablation, COUNT_MESSAGES};
use crate::config::{self, Settings};

/// What one adapter for all logs minimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoraLoss {
    /// Likelihood of the better answers.
    Sft,
    /// DPO alone.
    Dpo,
    /// Both, as an Expert.
    DpoSft,
}

/// How a trained system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the plan says.
    Uno(Policy),
    /// Always with the last checkpoint of the only adapter, verified or not.
    OneLora(LoraLoss),
    /// As the plan says, learned with other settings.
    Ablated(Ablation),
}

/// `learn`'s settings for one adapter for all logs.
const ONE_LORA: &[&str] =
    &["cluster.by=none", "plan.gate=expert", "plan.policy=unverified", "plan.variant=uno_single"];

/// One adapter for all logs: one cluster, an Expert whatever the gap, no verification that decides anything. An ablation: what it
/// says. UNO: as they are.
pub fn settings(base: &Settings, way: Way) -> anyhow::Result<Settings> {
    let loss = match way {
        Way::Uno(_) => return Ok(base.clone()),
        Way::Ablated(ablation) => return Ok(config::with(base, ablation.settings)?),
        Way::OneLora(loss) => loss,
    };
    // It is trained on every pair: one domain's rules contradict another's, so weighing users would leave most pairs out.
    let mut settings = config::with(base, &[ONE_LORA, COUNT_MESSAGES].concat())?;
    settings.train.loss = match loss {
        LoraLoss::Sft => Loss::DpoSft { dpo_weight: 0.0, sft_weight: 1.0 },
        LoraLoss::Dpo => Loss::DpoSft { dpo_weight: 1.0, sft_weight: 0.0 },
        LoraLoss::DpoSft => Loss::DpoSft { dpo_weight: 0.5, sft_weight: 0.5 },
    };
    Ok(settings)
}

impl Way {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uno(Policy::Single) => "uno_single",
            Self::Uno(_) => "uno",
            Self::OneLora(LoraLoss::Sft) => "lora_sft",
            Self::OneLora(LoraLoss::Dpo) => "lora_dpo",
            Self::OneLora(LoraLoss::DpoSft) => "lora_dpo_sft",
            Self::Ablated(ablation) => ablation.name,
        }
    }
}
