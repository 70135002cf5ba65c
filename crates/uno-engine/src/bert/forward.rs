//! The encoder over a group of texts, packed one after the other without padding.

use super::BertConfig;
use super::elementwise::{add_bias_residual, add_gelu, layer_norm};
use super::weights::{Block, Linear, Norm, Weights};
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::skinny;
use crate::kernel::softmax::softmax;

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
    let mut buffers = Buffers::new(config, texts, x.len() / hidden);
    for block in &weights.blocks {
        apply(config, block, texts, &mut x, &mut buffers, threads);
    }
    let mut rows = x.chunks_exact(hidden);
    texts.iter().map(|text| pool(rows.by_ref().take(text.len()), hidden)).collect()
}

/// What a block computes on the way, reused by the next.
struct Buffers {
    /// [tokens, 3 hidden]
    qkv: Vec<f32>,
    /// [tokens, hidden]
    attended: Vec<f32>,
    /// [tokens, hidden]
    out: Vec<f32>,
    /// [tokens, intermediate]
    wide: Vec<f32>,
    /// [longest, longest]
    scores: Vec<f32>,
}

impl Buffers {
    fn new(config: &BertConfig, texts: &[&[u32]], tokens: usize) -> Self {
        let longest = texts.iter().map(|t| t.len()).max().unwrap_or(0);
        Self {
            qkv: vec![0.0; tokens * 3 * config.hidden_size],
            attended: vec![0.0; tokens * config.hidden_size],
            out: vec![0.0; tokens * config.hidden_size],
            wide: vec![0.0; tokens * config.intermediate_size],
            scores: vec![0.0; longest * longest],
        }
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
    let Buffers { qkv, attended, out, wide, scores } = buffers;

    for row in qkv.chunks_exact_mut(block.qkv.bias.len()) {
        row.copy_from_slice(&block.qkv.bias);
    }
    product(x, &block.qkv, tokens, qkv, Into::Add, threads);
    attention(config, texts, qkv, scores, attended, threads);
    product(attended, &block.output, tokens, out, Into::Set, threads);
    add_bias_residual(out, &block.output.bias, x);
    norm(out, &block.attention_norm, config);
    std::mem::swap(x, out);

    product(x, &block.up, tokens, wide, Into::Set, threads);
    add_gelu(wide, &block.up.bias);
    product(wide, &block.down, tokens, out, Into::Set, threads);
    add_bias_residual(out, &block.down.bias, x);
    norm(out, &block.output_norm, config);
    std::mem::swap(x, out);
}

/// `out (+)= x wᵀ`, without the bias. The kernel with a fixed order of additions: a text's embedding is the same to the last
/// bit whatever texts share its group, so that a resumed run, which groups others, goes on as the first would have. It is
/// as fast as `gemm` at these sizes.
fn product(x: &[f32], linear: &Linear, tokens: usize, out: &mut [f32], into: Into, threads: Threads) {
    let rows = linear.bias.len();
    let cols = linear.weight.len() / rows;
    let weight = Mat::dense(&linear.weight, rows, cols);
    skinny::product(
        &mut MatMut::dense(out, tokens, rows),
        into,
        Mat::dense(x, tokens, cols),
        weight,
        1.0,
        threads,
    );
}

/// Every token of a text attends to all tokens of the same text.
fn attention(
    config: &BertConfig,
    texts: &[&[u32]],
    qkv: &[f32],
    scores: &mut [f32],
    attended: &mut [f32],
    threads: Threads,
) {
    let (hidden, width) = (config.hidden_size, config.head_dim());
    let scale = 1.0 / (width as f32).sqrt();
    let mut start = 0;
    for text in texts {
        let n = text.len();
        let rows = &qkv[start * 3 * hidden..(start + n) * 3 * hidden];
        let out = &mut attended[start * hidden..(start + n) * hidden];
        let scores = &mut scores[..n * n];
        for head in 0..config.heads {
            let part =
                |which: usize| Mat::strided(&rows[which * hidden + head * width..], n, width, 3 * hidden);
            matmul(MatMut::dense(scores, n, n), Into::Set, part(0), part(1).t(), scale, threads);
            scores.chunks_exact_mut(n).for_each(softmax);
            let out = MatMut::strided(&mut out[head * width..], n, width, hidden);
            matmul(out, Into::Set, Mat::dense(scores, n, n), part(2), 1.0, threads);
        }
        start += n;
    }
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
