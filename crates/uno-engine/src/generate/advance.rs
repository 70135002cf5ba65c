//! Feeding tokens to a batch, and what comes out of it.

use std::sync::Arc;

use super::cache::KvBlock;
use super::sequence::Sequence;
use super::step::{Step, with_buffers};
use crate::decoder::{Decoder, Logits, Products};
use crate::error::EngineError;
use crate::kernel::norm;
use crate::kernel::product::How;
use crate::kernel::team::lead;
use crate::lora::LoraWeights;

/// What a step gives for the last fed token of each row.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// Nothing: only the caches are filled.
    Nothing,
    /// The normalised hidden state [rows, hidden].
    Hidden,
    /// The logits of the next token [rows, vocab].
    Logits,
}

impl Decoder {
    /// Computes the keys and values of a prompt prefix once, to be shared by sequences that continue it.
    ///
    /// # Errors
    /// As [`Decoder::advance`].
    pub fn prefill_prefix(
        &self,
        ids: &[u32],
        adapter: Option<&Arc<LoraWeights>>,
    ) -> Result<Arc<KvBlock>, EngineError> {
        let mut sequence = self.start(None, adapter.cloned(), ids.len());
        self.feed(&mut [(&mut sequence, ids)], Want::Nothing)?;
        let Sequence { own, adapter, .. } = sequence;
        Ok(Arc::new(KvBlock { cache: own, adapter }))
    }

    /// A longer prefix: the positions of `parent` (copied) and `ids` computed on top of them. Lets a system prompt be shared by
    /// all requests and each request's full prompt by its samples.
    ///
    /// # Errors
    /// As [`Decoder::advance`]; also when `adapter` is not the one that `parent` was computed with.
    pub fn prefill_extend(
        &self,
        parent: &Arc<KvBlock>,
        ids: &[u32],
        adapter: Option<&Arc<LoraWeights>>,
    ) -> Result<Arc<KvBlock>, EngineError> {
        let mut sequence = Sequence::extending(
            &self.config,
            self.generation_precision(),
            parent,
            adapter.cloned(),
            ids.len(),
        );
        self.feed(&mut [(&mut sequence, ids)], Want::Nothing)?;
        let Sequence { own, adapter, .. } = sequence;
        Ok(Arc::new(KvBlock { cache: own, adapter }))
    }

    /// Begins a sequence behind an optional shared prefix. `capacity` is the number of own tokens it may hold (prompt and
    /// generated); memory is taken as they come. A prefix computed with another adapter is refused by the first
    /// [`Decoder::advance`].
    pub fn start(
        &self,
        prefix: Option<Arc<KvBlock>>,
        adapter: Option<Arc<LoraWeights>>,
        capacity: usize,
    ) -> Sequence {
        Sequence::new(&self.config, self.generation_precision(), prefix, adapter, capacity)
    }

    /// Feeds tokens to several sequences at once: one token each is decoding, more is prefill. Every row may have another
    /// adapter, length and number of tokens. Returns the logits [rows, vocab] after each sequence's last fed token.
    ///
    /// # Errors
    /// When a row has no tokens or more than it has room for, a token is outside the vocabulary, or an adapter is another
    /// model's. No sequence has changed then.
    pub fn advance(&self, rows: &mut [(&mut Sequence, &[u32])]) -> Result<Logits, EngineError> {
        self.need_head()?;
        Ok(Logits { data: self.feed(rows, Want::Logits)?, vocab: self.config.vocab_size })
    }

    /// Feeds tokens and returns what `want` names, one row after the other in the caller's order.
    pub(super) fn feed(
        &self,
        rows: &mut [(&mut Sequence, &[u32])],
        want: Want,
    ) -> Result<Vec<f32>, EngineError> {
        for (sequence, ids) in rows.iter() {
            sequence.check(ids.len())?;
            self.check_ids(ids)?;
            if let Some(adapter) = &sequence.adapter {
                adapter.check_model(&self.config)?;
            }
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|i| (rows[*i].0.adapter.as_ref().map_or(std::ptr::null(), Arc::as_ptr), *i));
        lead(|| {
            let step = Step::new(self, rows, &order);
            with_buffers(&self.config, step.n, |buffers| {
                self.embed(order.iter().flat_map(|i| rows[*i].1), &mut buffers.x)?;
                for (layer, block) in self.blocks.iter().enumerate() {
                    block.advance(&step, layer, rows, buffers);
                }
                for (sequence, ids) in rows.iter_mut() {
                    sequence.own.len += ids.len();
                }
                let last = |x: &[f32]| self.last_hidden_of(rows, &order, x);
                Ok(match want {
                    Want::Nothing => Vec::new(),
                    Want::Hidden => last(&buffers.x),
                    Want::Logits => self.head_of(&last(&buffers.x), step.how),
                })
            })
        })
    }

    /// The final norm's output for the last token of each row, in the caller's order.
    fn last_hidden_of(&self, rows: &[(&mut Sequence, &[u32])], order: &[usize], x: &[f32]) -> Vec<f32> {
        let (hidden, n) = (self.config.hidden_size, rows.len());
        let mut last = vec![0.0; n * hidden];
        let mut end = 0;
        for i in order {
            end += rows[*i].1.len();
            last[i * hidden..(i + 1) * hidden].copy_from_slice(&x[(end - 1) * hidden..end * hidden]);
        }
        let mut normed = vec![0.0; n * hidden];
        norm::forward(&last, &self.norm, self.config.norm_eps, &mut normed, &mut vec![0.0; n]);
        normed
    }

    /// Logits of normalised hidden states [n, hidden].
    fn head_of(&self, normed: &[f32], how: How) -> Vec<f32> {
        let (hidden, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let n = normed.len() / hidden;
        let mut data = vec![0.0; n * vocab];
        self.frozen_head(Products::both(how.precision)).forward(n, normed, &mut data, how);
        data
    }
}
