//! Attention within each text: every token attends to all tokens of the same text.

use std::cell::RefCell;

use super::BertConfig;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::panel::{PANEL, narrow};
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::softmax::softmax;
use crate::kernel::team::each;

/// Scores are rounded up to whole registers with positions of this score, whose share is below a float's resolution.
const NOTHING: f32 = -1e30;

/// Floats of a register.
const LANES: usize = 16;

/// Scratch for one head.
#[derive(Default)]
struct Scores {
    /// Keys with positions side by side, [head_dim, positions rounded up to panels].
    keys: Vec<f32>,
    /// [positions, positions rounded up to panels]
    scores: Vec<f32>,
}

thread_local! {
    /// Kept because fresh pages cost as much as what is computed in them.
    static SCRATCH: RefCell<Scores> = RefCell::default();
}

/// `qkv` [tokens, 3 hidden] to `attended` [tokens, hidden]; heads are shared out among `threads`.
pub(super) fn attention(
    config: &BertConfig,
    texts: &[&[u32]],
    qkv: &[f32],
    attended: &mut [f32],
    threads: Threads,
) {
    let (hidden, width) = (config.hidden_size, config.head_dim());
    let (mut qkv, mut attended, mut heads) = (qkv, attended, Vec::new());
    for text in texts {
        let (rows, rest) = qkv.split_at(text.len() * 3 * hidden);
        let (out, others) = std::mem::take(&mut attended).split_at_mut(text.len() * hidden);
        (qkv, attended) = (rest, others);
        let outs = MatMut::dense(out, text.len(), hidden).by_columns(width);
        heads.extend(outs.enumerate().map(|(head, out)| (head, rows, out)));
    }
    let work = |(head, rows, out)| one_head(config, head, rows, out);
    match threads {
        Threads::All => each(heads, work),
        Threads::One => heads.into_iter().for_each(work),
    }
}

/// One head of one text, `rows` [positions, 3 hidden] to `out` [positions, head_dim].
fn one_head(config: &BertConfig, head: usize, rows: &[f32], out: MatMut<'_>) {
    let (hidden, width, n) = (config.hidden_size, config.head_dim(), out.rows);
    let padded = n.next_multiple_of(PANEL);
    let part = |which: usize| Mat::strided(&rows[which * hidden + head * width..], n, width, 3 * hidden);
    // Taken, not borrowed: a thread that waits may be given another head meanwhile.
    let mut scratch = SCRATCH.take();
    scratch.keys.resize(scratch.keys.len().max(width * padded), 0.0);
    scratch.scores.resize(scratch.scores.len().max(n * padded), 0.0);
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
    if width.is_multiple_of(32) && width <= PANEL {
        narrow(out, Into::Set, scores, part(2), 1.0);
    } else {
        matmul(out, Into::Set, scores, part(2), 1.0, Threads::One);
    }
    SCRATCH.set(scratch);
}
