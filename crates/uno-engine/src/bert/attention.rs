//! Attention within each text: every token attends to all tokens of the same text.

use super::BertConfig;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::panel::{PANEL, narrow};
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::softmax::softmax;

/// Scores are rounded up to whole registers with positions of this score, whose share is below a float's resolution.
const NOTHING: f32 = -1e30;

/// Floats of a register.
const LANES: usize = 16;

/// Scratch for the head that is being computed.
pub(super) struct Scores {
    /// Keys with positions side by side, [head_dim, positions rounded up to panels].
    keys: Vec<f32>,
    /// [positions, positions rounded up to panels]
    scores: Vec<f32>,
}

impl Scores {
    /// For texts of up to `longest` tokens.
    pub(super) fn new(config: &BertConfig, longest: usize) -> Self {
        let padded = longest.next_multiple_of(PANEL);
        Self { keys: vec![0.0; config.head_dim() * padded], scores: vec![0.0; longest * padded] }
    }
}

/// `qkv` [tokens, 3 hidden] to `attended` [tokens, hidden].
pub(super) fn attention(
    config: &BertConfig,
    texts: &[&[u32]],
    qkv: &[f32],
    attended: &mut [f32],
    scratch: &mut Scores,
) {
    let hidden = config.hidden_size;
    let mut start = 0;
    for text in texts {
        let n = text.len();
        let rows = &qkv[start * 3 * hidden..(start + n) * 3 * hidden];
        let out = &mut attended[start * hidden..(start + n) * hidden];
        for head in 0..config.heads {
            one_head(config, head, n, rows, out, scratch);
        }
        start += n;
    }
}

fn one_head(config: &BertConfig, head: usize, n: usize, rows: &[f32], out: &mut [f32], scratch: &mut Scores) {
    let (hidden, width) = (config.hidden_size, config.head_dim());
    let padded = n.next_multiple_of(PANEL);
    let part = |which: usize| Mat::strided(&rows[which * hidden + head * width..], n, width, 3 * hidden);
    let keys = &mut scratch.keys[..width * padded];
    for (position, row) in rows.chunks_exact(3 * hidden).enumerate() {
        let key = &row[hidden + head * width..][..width];
        for (d, v) in key.iter().enumerate() {
            keys[d * padded + position] = *v;
        }
    }
    let scores = &mut scratch.scores[..n * padded];
    let scale = 1.0 / (width as f32).sqrt();
    for column in (0..n).step_by(PANEL) {
        let columns = PANEL.min(n - column);
        let to = MatMut::strided(&mut scores[column..], n, columns, padded);
        let keys = Mat::strided(&keys[column..], width, columns.next_multiple_of(32), padded);
        narrow(to, Into::Set, part(0), keys, scale);
    }
    let whole = n.next_multiple_of(LANES);
    for row in scores.chunks_exact_mut(padded) {
        row[n..whole].fill(NOTHING);
        softmax(&mut row[..whole]);
    }
    let scores = Mat::strided(scores, n, n, padded);
    let out = MatMut::strided(&mut out[head * width..], n, width, hidden);
    if width.is_multiple_of(32) && width <= PANEL {
        narrow(out, Into::Set, scores, part(2), 1.0);
    } else {
        matmul(out, Into::Set, scores, part(2), 1.0, Threads::One);
    }
}
