//! The output head: log-probabilities of targets, and their gradients without keeping logits.
//!
//! For a row h that predicts token t, d log p(t) / d h = E[t] - p · E, where E is the head and p the probabilities. The
//! forward stores this "slope" per target; whatever the loss, its gradient is then a number times the slope.

use super::precision::Frozen;
use super::workspace::sized;
use crate::kernel::parallel::rows_per_task;
use crate::kernel::product::How;
use crate::kernel::softmax::log_probability;
use crate::kernel::team::each;

/// Logits are computed for so many rows at a time that they take about this many numbers.
const CHUNK: usize = 6 << 20;

/// Rows of logits to hold at a time.
pub(super) fn chunk(vocab: usize) -> usize {
    (CHUNK / vocab).clamp(16, 256)
}

/// The head's weight [vocab, hidden], as passes multiply with it.
pub(super) struct Head<'a> {
    pub(super) frozen: Frozen<'a>,
}

impl Head<'_> {
    /// Log-probability of each target given its row of `h` [targets, hidden]. With `slopes` [targets, hidden], also the
    /// gradient of each with respect to its row.
    pub(super) fn log_probabilities(
        &self,
        h: &[f32],
        targets: &[u32],
        logits: &mut Vec<f32>,
        mut slopes: Option<&mut [f32]>,
    ) -> Vec<f32> {
        let Frozen { weight, out: vocab, input: hidden, .. } = self.frozen;
        let mut result = vec![0.0; targets.len()];
        let chunk = chunk(vocab);
        for from in (0..targets.len()).step_by(chunk) {
            let n = chunk.min(targets.len() - from);
            let (rows, targets) = (&h[from * hidden..(from + n) * hidden], &targets[from..from + n]);
            let logits = sized(logits, n * vocab);
            self.frozen.forward(n, rows, logits, How::FAST);
            let (task, keep) = (rows_per_task(n), slopes.is_some());
            let parts = result[from..from + n]
                .chunks_mut(task)
                .zip(logits.chunks_mut(task * vocab))
                .zip(targets.chunks(task));
            each(parts, |((result, logits), targets)| {
                for ((result, row), target) in
                    result.iter_mut().zip(logits.chunks_exact_mut(vocab)).zip(targets)
                {
                    *result = log_probability(row, *target as usize, keep);
                }
            });
            if let Some(slopes) = &mut slopes {
                let slopes = &mut slopes[from * hidden..(from + n) * hidden];
                self.frozen.backward(n, logits, slopes, -1.0);
                for (slope, target) in slopes.chunks_exact_mut(hidden).zip(targets) {
                    let embedded = &weight[*target as usize * hidden..(*target as usize + 1) * hidden];
                    slope.iter_mut().zip(embedded).for_each(|(s, e)| *s += e);
                }
            }
        }
        result
    }
}
