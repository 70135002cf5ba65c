//! Whole passes: scoring, logits at every position, and forward + backward for training.

use super::block::Pass;
use super::head::Head;
use super::saved::{SavedPlan, SavedShape};
use super::workspace::{Workspace, sized};
use super::{Decoder, Dropout, Logits, Packed, Products};
use crate::error::EngineError;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::norm;
use crate::kernel::product::{How, Into, Threads, matmul};
use crate::kernel::team::lead;
use crate::lora::{LoraGrads, LoraWeights};

impl Decoder {
    /// Log-probability of each target of `packed`, in the order of [`Packed::targets`]. The same arithmetic as
    /// [`Decoder::backward`], so that reference and policy are comparable to the last bit.
    ///
    /// # Errors
    /// When a token is outside the vocabulary, a sequence exceeds the model's context, or the adapter is another model's.
    pub fn token_logprobs(
        &self,
        packed: &Packed,
        adapter: Option<&LoraWeights>,
    ) -> Result<Vec<f32>, EngineError> {
        let mut ws = Workspace::default();
        self.score(packed, adapter, &mut ws)
    }

    /// [`Decoder::token_logprobs`] with buffers that are kept between calls.
    ///
    /// # Errors
    /// As [`Decoder::token_logprobs`].
    pub fn score(
        &self,
        packed: &Packed,
        adapter: Option<&LoraWeights>,
        ws: &mut Workspace,
    ) -> Result<Vec<f32>, EngineError> {
        let pass = self.pass(packed, adapter, None, ws.products)?;
        lead(|| {
            self.blocks_forward(&pass, packed, ws, false)?;
            self.gather(packed, ws);
            let normed = &ws.scratch.predicting_normed[..packed.rows.len() * self.config.hidden_size];
            let logits = &mut ws.scratch.logits;
            Ok(self.output(&pass).log_probabilities(normed, packed.targets(), logits, None))
        })
    }

    /// Forward and backward. `loss` gets the log-probability of each target and returns the derivative of the loss with
    /// respect to each; the gradients of the adapter's factors are ADDED to `grads`.
    ///
    /// # Errors
    /// As [`Decoder::token_logprobs`]; also when `grads` has another layout than `adapter`, `loss` returns another number of
    /// derivatives, or dropout is not in [0, 1).
    pub fn backward(
        &self,
        packed: &Packed,
        adapter: &LoraWeights,
        dropout: Option<Dropout>,
        loss: &mut dyn FnMut(&[f32]) -> Vec<f32>,
        grads: &mut LoraGrads,
        ws: &mut Workspace,
    ) -> Result<(), EngineError> {
        if grads.layout != adapter.layout {
            return Err(EngineError::Input("the gradients were made for another adapter's layout".into()));
        }
        if dropout.is_some_and(|d| !(0.0..1.0).contains(&d.p)) {
            return Err(EngineError::Input("dropout must be in [0, 1)".into()));
        }
        let pass = self.pass(packed, Some(adapter), dropout.filter(|d| d.p > 0.0), ws.products)?;
        let (targets, hidden) = (packed.targets(), self.config.hidden_size);
        let log_probabilities = lead(|| {
            self.blocks_forward(&pass, packed, ws, true)?;
            self.gather(packed, ws);
            let scratch = &mut ws.scratch;
            let normed = &scratch.predicting_normed[..targets.len() * hidden];
            let slopes = sized(&mut scratch.slopes, targets.len() * hidden);
            Ok(self.output(&pass).log_probabilities(normed, targets, &mut scratch.logits, Some(slopes)))
        })?;
        // Outside the pool: the caller's closure need not be Send.
        let derivatives = loss(&log_probabilities);
        if derivatives.len() != targets.len() {
            return Err(EngineError::Input(format!(
                "the loss returned {} derivatives for {} targets",
                derivatives.len(),
                targets.len()
            )));
        }
        lead(|| {
            self.head_backward(packed, &derivatives, ws);
            for (layer, block) in self.blocks.iter().enumerate().rev() {
                let keeps = ws.activations.plan.keeps(layer);
                let mut saved = ws.activations.of(layer);
                if !keeps {
                    block.recompute(&pass, layer, &mut saved, &mut ws.scratch);
                }
                block.backward(&pass, layer, &saved, &mut ws.scratch, grads);
            }
        });
        Ok(())
    }

    /// Logits of the next token at every position of one sequence.
    ///
    /// # Errors
    /// As [`Decoder::token_logprobs`].
    pub fn logits(&self, ids: &[u32], adapter: Option<&LoraWeights>) -> Result<Logits, EngineError> {
        let mut packed = Packed::new();
        packed.push_prompt(ids);
        let pass = self.pass(&packed, adapter, None, Products::default())?;
        let (n, hidden, vocab) = (ids.len(), self.config.hidden_size, self.config.vocab_size);
        lead(|| {
            let mut ws = Workspace::default();
            self.blocks_forward(&pass, &packed, &mut ws, false)?;
            let mut normed = vec![0.0; n * hidden];
            norm::forward(&ws.scratch.x, &self.norm, self.config.norm_eps, &mut normed, &mut vec![0.0; n]);
            let mut data = vec![0.0; n * vocab];
            let head = Mat::dense(self.head(), vocab, hidden);
            let view = MatMut::dense(&mut data, n, vocab);
            matmul(view, Into::Set, Mat::dense(&normed, n, hidden), head.t(), 1.0, Threads::All);
            Ok(Logits { data, vocab })
        })
    }

    fn output(&self, pass: &Pass<'_>) -> Head<'_> {
        Head { frozen: self.frozen_head(pass.products) }
    }

    fn pass<'a>(
        &'a self,
        packed: &'a Packed,
        adapter: Option<&'a LoraWeights>,
        dropout: Option<Dropout>,
        products: Products,
    ) -> Result<Pass<'a>, EngineError> {
        self.need_head()?;
        packed.check(&self.config)?;
        self.check_ids(&packed.ids)?;
        if let Some(adapter) = adapter {
            adapter.check_model(&self.config)?;
        }
        Ok(Pass {
            config: &self.config,
            segments: &packed.segments,
            angles: packed.angles(&self.frequencies),
            n: packed.tokens(),
            adapter,
            dropout,
            how: How { precision: products.forward, ..How::FAST },
            products,
        })
    }

    /// Embeds and runs all blocks; the residual stream ends up in `ws.scratch.x`. With `keep`, each block's activations stay, as
    /// far as the workspace's limit allows.
    fn blocks_forward(
        &self,
        pass: &Pass<'_>,
        packed: &Packed,
        ws: &mut Workspace,
        keep: bool,
    ) -> Result<(), EngineError> {
        self.embed(packed.ids.iter(), sized(&mut ws.scratch.x, pass.n * self.config.hidden_size))?;
        let shape = SavedShape::new(&self.config, pass.adapter.map(|a| &a.layout));
        let blocks = if keep { self.blocks.len() } else { 1 };
        ws.activations.begin(SavedPlan::new(shape, pass.n, blocks, ws.limit));
        for (layer, block) in self.blocks.iter().enumerate() {
            let mut saved = ws.activations.of(if keep { layer } else { 0 });
            block.forward(pass, layer, &mut saved, &mut ws.scratch);
        }
        Ok(())
    }

    /// Collects and normalises the rows that predict a target.
    fn gather(&self, packed: &Packed, ws: &mut Workspace) {
        let (n, hidden) = (packed.rows.len(), self.config.hidden_size);
        let scratch = &mut ws.scratch;
        let predicting = sized(&mut scratch.predicting, n * hidden);
        for (row, out) in packed.rows.iter().zip(predicting.chunks_exact_mut(hidden)) {
            out.copy_from_slice(&scratch.x[row * hidden..(row + 1) * hidden]);
        }
        let normed = sized(&mut scratch.predicting_normed, n * hidden);
        let inverse = sized(&mut scratch.predicting_inverse, n);
        norm::forward(predicting, &self.norm, self.config.norm_eps, normed, inverse);
    }

    /// Gradient of the residual stream after the last block, into `ws.scratch.dx`.
    fn head_backward(&self, packed: &Packed, derivatives: &[f32], ws: &mut Workspace) {
        let (n, hidden) = (packed.rows.len(), self.config.hidden_size);
        let scratch = &mut ws.scratch;
        let slopes = &mut scratch.slopes[..n * hidden];
        for (slope, derivative) in slopes.chunks_exact_mut(hidden).zip(derivatives) {
            slope.iter_mut().for_each(|s| *s *= derivative);
        }
        // The normalised rows are not needed any more: their buffer takes the gradient of the gathered rows.
        let d_rows = &mut scratch.predicting_normed[..n * hidden];
        d_rows.fill(0.0);
        let inverse = &scratch.predicting_inverse[..n];
        norm::backward(&scratch.predicting[..n * hidden], &self.norm, inverse, slopes, d_rows);
        let dx = sized(&mut scratch.dx, packed.tokens() * hidden);
        dx.fill(0.0);
        for (row, d) in packed.rows.iter().zip(d_rows.chunks_exact(hidden)) {
            dx[row * hidden..(row + 1) * hidden].iter_mut().zip(d).for_each(|(x, d)| *x += d);
        }
    }
}
