//! The output head: log-probabilities of targets, and their gradients without keeping logits.
//!
//! For a row h that predicts token t, d log p(t) / d h = E[t] - p · E, where E is the head and p the probabilities. The
//! forward stores this "slope" per target; whatever the loss, its gradient is then a number times the slope.

use rayon::prelude::*;

use super::precision::Packs;
use super::workspace::sized;
use crate::kernel::bf16;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::parallel::rows_per_task;
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::softmax::log_probability;

/// Logits are computed for so many rows at a time that they take about this many numbers.
const CHUNK: usize = 6 << 20;

/// The head's weight [vocab, hidden].
pub(super) struct Head<'a> {
    pub(super) weight: &'a [f32],
    /// The weight in bf16, when products are to be.
    pub(super) packs: Option<&'a Packs>,
    pub(super) vocab: usize,
    pub(super) hidden: usize,
}

impl Head<'_> {
    /// Rows of logits to hold at a time.
    fn chunk(&self) -> usize {
        (CHUNK / self.vocab).clamp(16, 256)
    }

    /// Log-probability of each target given its row of `h` [targets, hidden]. With `slopes` [targets, hidden], also the
    /// gradient of each with respect to its row.
    pub(super) fn log_probabilities(
        &self,
        h: &[f32],
        targets: &[u32],
        logits: &mut Vec<f32>,
        mut slopes: Option<&mut [f32]>,
    ) -> Vec<f32> {
        let (vocab, hidden) = (self.vocab, self.hidden);
        let weight = Mat::dense(self.weight, vocab, hidden);
        let mut result = vec![0.0; targets.len()];
        let chunk = self.chunk();
        for from in (0..targets.len()).step_by(chunk) {
            let n = chunk.min(targets.len() - from);
            let (rows, targets) = (&h[from * hidden..(from + n) * hidden], &targets[from..from + n]);
            let logits = sized(logits, n * vocab);
            let view = MatMut::dense(logits, n, vocab);
            match self.packs {
                Some(packs) => bf16::product(view, rows, &packs.forward, 1.0),
                None => {
                    matmul(view, Into::Set, Mat::dense(rows, n, hidden), weight.t(), 1.0, Threads::All);
                }
            }
            let (task, keep) = (rows_per_task(n), slopes.is_some());
            result[from..from + n]
                .par_chunks_mut(task)
                .zip(logits.par_chunks_mut(task * vocab))
                .zip(targets.par_chunks(task))
                .for_each(|((result, logits), targets)| {
                    for ((result, row), target) in
                        result.iter_mut().zip(logits.chunks_exact_mut(vocab)).zip(targets)
                    {
                        *result = log_probability(row, *target as usize, keep);
                    }
                });
            if let Some(slopes) = &mut slopes {
                let slopes = &mut slopes[from * hidden..(from + n) * hidden];
                let view = MatMut::dense(slopes, n, hidden);
                match self.packs {
                    Some(packs) => bf16::product(view, logits, &packs.backward, -1.0),
                    None => {
                        matmul(view, Into::Set, Mat::dense(logits, n, vocab), weight, -1.0, Threads::All);
                    }
                }
                for (slope, target) in slopes.chunks_exact_mut(hidden).zip(targets) {
                    let embedded = &self.weight[*target as usize * hidden..(*target as usize + 1) * hidden];
                    slope.iter_mut().zip(embedded).for_each(|(s, e)| *s += e);
                }
            }
        }
        result
    }
}
