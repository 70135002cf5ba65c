//! Which settings are allowed.

use crate::config::{Loss, TrainConfig};
use crate::error::TrainError;

impl TrainConfig {
    /// Refuses settings outside their range, naming the setting, its value and the range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let finite = f64::is_finite;
        within("rank", self.rank, (1..=1024).contains(&self.rank), "1–1024")?;
        within("alpha", self.alpha, self.alpha.is_finite() && self.alpha > 0.0, "above 0")?;
        within("dropout", self.dropout, (0.0..1.0).contains(&self.dropout), "from 0 to below 1")?;
        within("targets", self.targets.len(), !self.targets.is_empty(), "at least one projection")?;
        within("lr", self.lr, self.lr > 0.0 && self.lr <= 1.0, "above 0, at most 1")?;
        let (b1, b2) = self.betas;
        within("betas", b1, (0.0..1.0).contains(&b1), "from 0 to below 1 each")?;
        within("betas", b2, (0.0..1.0).contains(&b2), "from 0 to below 1 each")?;
        within("eps", self.eps, self.eps > 0.0 && self.eps <= 1e-2, "above 0, at most 0.01")?;
        let decay = self.weight_decay;
        within("weight_decay", decay, (0.0..=1.0).contains(&decay), "from 0 to 1")?;
        within("epochs", self.epochs, (1..=1000).contains(&self.epochs), "1–1000")?;
        within("batch", self.batch, (1..=4096).contains(&self.batch), "1–4096")?;
        let micro = self.micro_batch;
        within("micro_batch", micro, (1..=self.batch).contains(&micro), "from 1 to `batch`")?;
        within("max_grad_norm", self.max_grad_norm, self.max_grad_norm > 0.0, "above 0")?;
        within("beta", self.beta, finite(self.beta) && self.beta > 0.0, "above 0")?;
        if let Loss::DpoSft { dpo_weight, sft_weight } = self.loss {
            within("loss.dpo_weight", dpo_weight, finite(dpo_weight) && dpo_weight >= 0.0, "0 or more")?;
            let not_both = sft_weight > 0.0 || dpo_weight > 0.0;
            let fine = finite(sft_weight) && sft_weight >= 0.0 && not_both;
            within("loss.sft_weight", sft_weight, fine, "0 or more, and above 0 when dpo_weight is 0")?;
        }
        within("max_length", self.max_length, self.max_length >= 2, "at least 2 tokens")?;
        let every = self.checkpoint_every_steps;
        within("checkpoint_every_steps", every, every >= 1, "at least 1")?;
        within("explosion_ratio", self.explosion_ratio, self.explosion_ratio > 1.0, "above 1")?;
        let drop = self.collapse_drop;
        within("collapse_drop", drop, finite(drop) && drop >= 0.0, "0 or more")
    }
}

fn within(
    field: &'static str,
    value: impl std::fmt::Display,
    fine: bool,
    allowed: &'static str,
) -> Result<(), TrainError> {
    if fine { Ok(()) } else { Err(TrainError::Config { field, value: value.to_string(), allowed }) }
}
