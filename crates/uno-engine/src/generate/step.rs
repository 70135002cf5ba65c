//! One step of a batch through the blocks.

use std::cell::RefCell;
use std::sync::Arc;

use super::cache::Cache;
use super::sequence::Sequence;
use crate::config::ModelConfig;
use crate::decoder::{Block, Decoder, add_rows, lora_forward, norm_heads, sized};
use crate::kernel::activation::swiglu;
use crate::kernel::attend::attend;
use crate::kernel::norm;
use crate::kernel::product::{How, Threads};
use crate::kernel::rope::{Angles, rotate};
use crate::kernel::team;
use crate::lora::{Group, GroupWeights, LoraWeights, PackedGroup};

/// Parts per thread that attention is cut into, because sequences differ in length.
const ATTEND_PARTS: usize = 8;

/// Rows of the batch in the order of computation: those with the same adapter are adjacent.
pub(super) struct Step<'a> {
    config: &'a ModelConfig,
    pub(super) n: usize,
    /// Per token: its sequence (index into the ordered sequences) and its position in the sequence's own cache.
    tokens: Vec<(usize, usize)>,
    angles: Angles,
    /// Runs of adjacent tokens with the same adapter: first token, number, adapter.
    runs: Vec<(usize, usize, Arc<LoraWeights>)>,
    /// How frozen weights multiply.
    pub(super) how: How,
}

/// The adapter's part of some adjacent rows: its factors, as they are and packed, the rows' number, input and output.
type Task<'a> = (GroupWeights<'a>, Option<&'a PackedGroup>, usize, &'a [f32], &'a mut [f32]);

/// Buffers of a step.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) x: Vec<f32>,
    normed: Vec<f32>,
    inverse: Vec<f32>,
    qkv: Vec<f32>,
    heads: Vec<f32>,
    projected: Vec<f32>,
    gate_up: Vec<f32>,
    activation: Vec<f32>,
    inner: Vec<f32>,
    raw_qk: Vec<f32>,
    qk_inverse: Vec<f32>,
}

thread_local! {
    /// Kept between steps: fresh pages for every step cost several percent of it.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl Buffers {
    /// Gives every buffer its length for `n` tokens.
    fn fit(&mut self, config: &ModelConfig, n: usize) {
        let (q, kv) = (config.q_dim(), config.kv_dim());
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        self.x.resize(n * hidden, 0.0);
        self.normed.resize(n * hidden, 0.0);
        self.inverse.resize(n, 0.0);
        self.qkv.resize(n * (q + 2 * kv), 0.0);
        self.heads.resize(n * q, 0.0);
        self.projected.resize(n * hidden, 0.0);
        self.gate_up.resize(n * 2 * inner, 0.0);
        self.activation.resize(n * inner, 0.0);
        self.raw_qk.resize(if config.qk_norm { n * (q + kv) } else { 0 }, 0.0);
        self.qk_inverse.resize(if config.qk_norm { n * (config.heads + config.kv_heads) } else { 0 }, 0.0);
    }
}

/// Runs `f` with buffers for `n` tokens, which this thread keeps.
pub(super) fn with_buffers<R>(config: &ModelConfig, n: usize, f: impl FnOnce(&mut Buffers) -> R) -> R {
    let mut buffers = BUFFERS.take();
    buffers.fit(config, n);
    let result = f(&mut buffers);
    BUFFERS.set(buffers);
    result
}

impl<'a> Step<'a> {
    pub(super) fn new(decoder: &'a Decoder, rows: &[(&mut Sequence, &[u32])], order: &[usize]) -> Self {
        let mut tokens = Vec::new();
        let mut positions = Vec::new();
        let mut runs: Vec<(usize, usize, Arc<LoraWeights>)> = Vec::new();
        for i in order {
            let (sequence, ids) = &rows[*i];
            if let Some(adapter) = &sequence.adapter {
                match runs.last_mut() {
                    Some((_, n, last)) if Arc::ptr_eq(last, adapter) => *n += ids.len(),
                    _ => runs.push((tokens.len(), ids.len(), adapter.clone())),
                }
            }
            let own = sequence.own.len;
            tokens.extend((0..ids.len()).map(|t| (*i, own + t)));
            positions.extend((0..ids.len()).map(|t| sequence.len() + t));
        }
        let angles = decoder.frequencies.angles(&positions);
        let how = How { precision: decoder.generation_precision(), ..How::FIXED };
        Step { config: &decoder.config, n: tokens.len(), tokens, angles, runs, how }
    }

    /// Adds the adapters' parts of a group to `y`. Many adapters are many small products: a task each then, instead of each
    /// product split among the threads.
    fn adapt(&self, layer: usize, group: Group, x: &[f32], mut y: &mut [f32], inner: &mut Vec<f32>) {
        let mut tasks = Vec::with_capacity(self.runs.len());
        let mut end = 0;
        for (first, n, adapter) in &self.runs {
            if let Some(weights) = adapter.group(layer, group) {
                let (input, output) = (weights.shape.input, weights.shape.output);
                let (of_run, rest) =
                    std::mem::take(&mut y)[(first - end) * output..].split_at_mut(n * output);
                let packed = adapter.packed(layer, group, self.how.precision);
                tasks.push((weights, packed, *n, &x[first * input..(first + n) * input], of_run));
                (y, end) = (rest, first + n);
            }
        }
        let each = |inner: &mut Vec<f32>, (weights, packed, n, x, y): Task<'_>, threads: Threads| {
            let how = How { threads, ..self.how };
            match packed {
                Some(packed) => packed.forward(&weights, n, x, y, sized(inner, n * weights.width()), how),
                None => lora_forward(&weights, n, x, y, inner, None, how),
            }
        };
        if tasks.len() < 2 * rayon::current_num_threads() {
            tasks.into_iter().for_each(|task| each(inner, task, Threads::All));
        } else {
            team::each(tasks, |task| each(&mut Vec::new(), task, Threads::One));
        }
    }

    /// Every token attends to its prefix and to its own cache up to itself. One task per token and key/value head.
    fn attend(&self, layer: usize, rows: &[(&mut Sequence, &[u32])], qkv: &[f32], out: &mut [f32]) {
        let config = self.config;
        let (dim, kv_heads) = (config.head_dim, config.kv_heads);
        let stride = config.q_dim() + 2 * config.kv_dim();
        let width = config.q_dim() / kv_heads;
        let one = |task: usize, out: &mut [f32], scores: &mut Vec<f32>| {
            let (token, head) = (task / kv_heads, task % kv_heads);
            let (row, position) = self.tokens[token];
            let sequence: &Sequence = rows[row].0;
            let q = &qkv[token * stride + head * width..][..width];
            let own = sequence.own.head(layer, head, position + 1);
            match &sequence.prefix {
                None => attend(q, &[own], dim, out, scores),
                Some(prefix) => {
                    let shared: &Cache = &prefix.cache;
                    attend(q, &[shared.head(layer, head, shared.len), own], dim, out, scores);
                }
            }
        };
        let tasks = self.n * kv_heads;
        let some = tasks.div_ceil(ATTEND_PARTS * rayon::current_num_threads());
        team::each(out.chunks_mut(width * some).enumerate(), |(i, out)| {
            let mut scores = Vec::new();
            let parts = out.chunks_exact_mut(width).enumerate();
            parts.for_each(|(j, out)| one(i * some + j, out, &mut scores));
        });
    }
}

impl Block {
    pub(super) fn advance(
        &self,
        step: &Step<'_>,
        layer: usize,
        rows: &mut [(&mut Sequence, &[u32])],
        b: &mut Buffers,
    ) {
        let (config, n) = (step.config, step.n);
        let (q, kv) = (config.q_dim(), config.kv_dim());
        norm::forward(&b.x, &self.attention_norm, config.norm_eps, &mut b.normed, &mut b.inverse);
        self.qkv.forward(n, &b.normed, &mut b.qkv, step.how);
        step.adapt(layer, Group::AttentionIn, &b.normed, &mut b.qkv, &mut b.inner);
        if let Some(norms) = &self.head_norms {
            norm_heads(config, norms, &mut b.qkv, &mut b.raw_qk, &mut b.qk_inverse);
        }
        rotate(&mut b.qkv, q + 2 * kv, q + kv, config.head_dim, &step.angles, 1.0);
        for ((row, position), qkv) in step.tokens.iter().zip(b.qkv.chunks_exact(q + 2 * kv)) {
            rows[*row].0.own.store(layer, *position, &qkv[q..q + kv], &qkv[q + kv..]);
        }
        step.attend(layer, rows, &b.qkv, &mut b.heads);
        self.out.forward(n, &b.heads, &mut b.projected, step.how);
        step.adapt(layer, Group::AttentionOut, &b.heads, &mut b.projected, &mut b.inner);
        add_rows(&mut b.x, &b.projected);
        norm::forward(&b.x, &self.mlp_norm, config.norm_eps, &mut b.normed, &mut b.inverse);
        self.gate_up.forward(n, &b.normed, &mut b.gate_up, step.how);
        step.adapt(layer, Group::MlpIn, &b.normed, &mut b.gate_up, &mut b.inner);
        swiglu(&b.gate_up, config.intermediate_size, &mut b.activation);
        self.down.forward(n, &b.activation, &mut b.projected, step.how);
        step.adapt(layer, Group::MlpOut, &b.activation, &mut b.projected, &mut b.inner);
        add_rows(&mut b.x, &b.projected);
    }
}
