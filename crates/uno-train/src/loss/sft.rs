//! Supervised fine-tuning: negative log-likelihood of completions (TRL 0.24 `SFTTrainer`, completion-only).

/// The loss of one micro-batch and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct SftOutput {
    /// Sum of −logp over this micro-batch, divided by the tokens of the whole accumulated batch.
    pub loss: f64,
    /// dLoss/dlogp: −1 / `tokens_in_batch` for each target.
    pub dlogp: Vec<f32>,
}

/// `logps` are the micro-batch's targets; `tokens_in_batch` counts the completion tokens of all micro-batches that
/// share the optimiser step (`num_items_in_batch`), so that adding the micro-batch losses gives the token mean.
pub fn sft(logps: &[f32], tokens_in_batch: usize) -> SftOutput {
    let per_token = if tokens_in_batch == 0 { 0.0 } else { 1.0 / tokens_in_batch as f64 };
    let loss = -logps.iter().map(|l| f64::from(*l)).sum::<f64>() * per_token;
    SftOutput { loss, dlogp: vec![-per_token as f32; logps.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_add_up_to_the_token_mean() {
        let (a, b) = (sft(&[-1.0, -2.0, -3.0], 4), sft(&[-6.0], 4));
        assert!((a.loss + b.loss - 3.0).abs() < 1e-12);
        assert_eq!(a.dlogp, vec![-0.25; 3]);
    }
}
