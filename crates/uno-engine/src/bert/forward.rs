//! The encoder over a group of texts, packed one after the other without padding.

use std::cell::RefCell;
use std::ops::Range;

use super::BertConfig;
use super::attention::attention;
use super::elementwise::{add_bias_residual, add_gelu, layer_norm};
use super::weights::{Block, Linear, Norm, Weights};
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::parallel::rows_per_task;
use crate::kernel::product::{Into, Threads};
use crate::kernel::team::each;

/// Embeddings of the group's texts: the mean of each text's last hidden states, scaled to length one. Ids and lengths have
/// been checked.
pub(super) fn embed(
    config: &BertConfig,
    weights: &Weights,
    texts: &[&[u32]],
    threads: Threads,
) -> Vec<Vec<f32>> {
    let hidden = config.hidden_size;
    let mut x = Vec::with_capacity(texts.iter().map(|t| t.len()).sum::<usize>() * hidden);
    for text in texts {
        for (position, &id) in text.iter().enumerate() {
            let word = &weights.words[id as usize * hidden..][..hidden];
            let position = &weights.positions[position * hidden..][..hidden];
            x.extend(word.iter().zip(position).map(|(w, p)| w + p));
        }
    }
    norm(&mut x, &weights.embedding_norm, config);
    // Taken, not borrowed: a thread that waits may be given another group meanwhile.
    let mut buffers = BUFFERS.take();
    buffers.fit(config, x.len() / hidden);
    for block in &weights.blocks {
        apply(config, block, texts, &mut x, &mut buffers, threads);
    }
    BUFFERS.set(buffers);
    let mut rows = x.chunks_exact(hidden);
    texts.iter().map(|text| pool(rows.by_ref().take(text.len()), hidden)).collect()
}

thread_local! {
    /// Kept because fresh pages cost as much as what is computed in them.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// What a block computes on the way, reused by the next.
#[derive(Default)]
struct Buffers {
    /// [tokens, 3 hidden]
    qkv: Vec<f32>,
    /// [tokens, hidden]
    attended: Vec<f32>,
    /// [tokens, hidden]
    out: Vec<f32>,
    /// [tokens, intermediate]
    wide: Vec<f32>,
}

impl Buffers {
    /// Makes them as long as `tokens` need.
    fn fit(&mut self, config: &BertConfig, tokens: usize) {
        self.qkv.resize(tokens * 3 * config.hidden_size, 0.0);
        self.attended.resize(tokens * config.hidden_size, 0.0);
        self.out.resize(tokens * config.hidden_size, 0.0);
        self.wide.resize(tokens * config.intermediate_size, 0.0);
    }
}

/// One post-norm block, `x` in place (Devlin et al. 2018; the norm comes after each residual sum).
fn apply(
    config: &BertConfig,
    block: &Block,
    texts: &[&[u32]],
    x: &mut Vec<f32>,
    buffers: &mut Buffers,
    threads: Threads,
) {
    let tokens = x.len() / config.hidden_size;
    let Buffers { qkv, attended, out, wide } = buffers;

    for row in qkv.chunks_exact_mut(block.qkv.bias.len()) {
        row.copy_from_slice(&block.qkv.bias);
    }
    product(x, &block.qkv, tokens, qkv, Into::Add, threads);
    attention(config, texts, qkv, attended, threads);
    product(attended, &block.output, tokens, out, Into::Set, threads);
    by_rows(out, config.hidden_size, threads, |rows, out| {
        add_bias_residual(out, &block.output.bias, &x[rows]);
        norm(out, &block.attention_norm, config);
    });
    std::mem::swap(x, out);

    product(x, &block.up, tokens, wide, Into::Set, threads);
    by_rows(wide, config.intermediate_size, threads, |_, wide| add_gelu(wide, &block.up.bias));
    product(wide, &block.down, tokens, out, Into::Set, threads);
    by_rows(out, config.hidden_size, threads, |rows, out| {
        add_bias_residual(out, &block.down.bias, &x[rows]);
        norm(out, &block.output_norm, config);
    });
    std::mem::swap(x, out);
}

/// Calls `work` with each thread's rows of `x`, and where in `x` they are. What a row becomes does not depend on who has it.
fn by_rows(x: &mut [f32], width: usize, threads: Threads, work: impl Fn(Range<usize>, &mut [f32]) + Sync) {
    let rows = match threads {
        Threads::All => rows_per_task(x.len() / width),
        Threads::One => x.len() / width,
    };
    let share = (rows * width).max(1);
    each(x.chunks_mut(share).enumerate(), |(i, x)| work(i * share..i * share + x.len(), x));
}

/// `out (+)= x wᵀ`, without the bias. The kernel adds in a fixed order: a text's embedding is the same to the last bit
/// whatever texts share its group, so that a resumed run, which groups others, goes on as the first would have.
fn product(x: &[f32], linear: &Linear, tokens: usize, out: &mut [f32], into: Into, threads: Threads) {
    let (rows, cols) = (linear.bias.len(), x.len() / tokens);
    let out = MatMut::dense(out, tokens, rows);
    linear.weight.product(Mat::dense(x, tokens, cols), out, into, threads);
}

fn norm(x: &mut [f32], norm: &Norm, config: &BertConfig) {
    layer_norm(x, &norm.gain, &norm.offset, config.norm_eps);
}

/// Mean of the rows, scaled to Euclidean length one (a zero vector stays zero).
fn pool<'a>(rows: impl Iterator<Item = &'a [f32]>, hidden: usize) -> Vec<f32> {
    let mut mean = vec![0.0f32; hidden];
    let mut count = 0usize;
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        count += 1;
    }
    mean.iter_mut().for_each(|m| *m /= count.max(1) as f32);
    // 1e-12 is torch.nn.functional.normalize's floor.
    let length = mean.iter().map(|m| m * m).sum::<f32>().sqrt().max(1e-12);
    mean.iter_mut().for_each(|m| *m /= length);
    mean
}
