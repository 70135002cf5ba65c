//! Causal attention over packed segments. Scores of a segment are computed in blocks of query rows, each against the keys
//! that its last row may see, so that hardly any work goes into what the causal mask hides. No block outlives its use: the
//! backward computes it again, so that memory grows with the length of a sequence and not with its square.

use super::packed::Segment;
use super::workspace::sized;
use crate::config::ModelConfig;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::softmax::softmax;
use crate::kernel::team::each;

/// Query rows per block.
pub(super) const BLOCK: usize = 64;

/// Numbers of the largest block of scores of a segment.
pub(super) fn block_of_scores(segment: &Segment) -> usize {
    segment.rows.len().min(BLOCK) * segment.keys()
}

/// Where the parts of a row of q | k | v begin.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) heads: usize,
    pub(super) per_kv: usize,
    pub(super) head_dim: usize,
    pub(super) q_dim: usize,
    pub(super) kv_dim: usize,
    pub(super) stride: usize,
    pub(super) scale: f32,
}

impl Columns {
    pub(super) fn new(config: &ModelConfig) -> Self {
        Columns {
            heads: config.heads,
            per_kv: config.heads / config.kv_heads,
            head_dim: config.head_dim,
            q_dim: config.q_dim(),
            kv_dim: config.kv_dim(),
            stride: config.q_dim() + 2 * config.kv_dim(),
            scale: 1.0 / (config.head_dim as f32).sqrt(),
        }
    }

    /// `rows` rows from `first` of the columns that begin at `column`.
    fn view<'a>(&self, qkv: &'a [f32], first: usize, rows: usize, column: usize) -> Mat<'a> {
        Mat::strided(&qkv[first * self.stride + column..], rows, self.head_dim, self.stride)
    }

    pub(super) fn q<'a>(&self, qkv: &'a [f32], head: usize, first: usize, rows: usize) -> Mat<'a> {
        self.view(qkv, first, rows, head * self.head_dim)
    }

    pub(super) fn k<'a>(&self, qkv: &'a [f32], head: usize, first: usize, rows: usize) -> Mat<'a> {
        self.view(qkv, first, rows, self.q_dim + head / self.per_kv * self.head_dim)
    }

    pub(super) fn v<'a>(&self, qkv: &'a [f32], head: usize, first: usize, rows: usize) -> Mat<'a> {
        self.view(qkv, first, rows, self.q_dim + self.kv_dim + head / self.per_kv * self.head_dim)
    }
}

/// The two runs of keys that a block of queries sees: (first row, rows, first column of its scores).
pub(super) fn runs(segment: &Segment, last: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let prefix = (segment.prefix.start, segment.prefix.len(), 0);
    let own = (segment.rows.start, last, segment.prefix.len());
    [prefix, own].into_iter().filter(|(_, n, _)| *n > 0)
}

/// Attention probabilities of `n` rows of a segment from its row `from` into `block` [n, seen], where `seen` counts the keys
/// that the last of them sees.
pub(super) fn probabilities(
    columns: &Columns,
    qkv: &[f32],
    (segment, head): (&Segment, usize),
    (from, n): (usize, usize),
    block: &mut [f32],
) {
    let seen = segment.prefix.len() + from + n;
    let q = columns.q(qkv, head, segment.rows.start + from, n);
    for (first, count, column) in runs(segment, from + n) {
        let scores = MatMut::strided(&mut block[column..], n, count, seen);
        let k = columns.k(qkv, head, first, count);
        matmul(scores, Into::Set, q, k.t(), columns.scale, Threads::One);
    }
    for (i, row) in block.chunks_exact_mut(seen).enumerate() {
        let (visible, hidden) = row.split_at_mut(segment.prefix.len() + from + i + 1);
        softmax(visible);
        hidden.fill(0.0);
    }
}

/// One head of one segment into `out` [rows, head_dim]; `scores` is scratch.
fn one(columns: &Columns, qkv: &[f32], segment: &Segment, head: usize, scores: &mut [f32], out: &mut [f32]) {
    let (rows, dim) = (segment.rows.len(), columns.head_dim);
    for from in (0..rows).step_by(BLOCK) {
        let n = BLOCK.min(rows - from);
        let seen = segment.prefix.len() + from + n;
        let block = &mut scores[..n * seen];
        probabilities(columns, qkv, (segment, head), (from, n), block);
        let mut into = Into::Set;
        for (first, count, column) in runs(segment, from + n) {
            let out = MatMut::dense(&mut out[from * dim..], n, dim);
            let p = Mat::strided(&block[column..], n, count, seen);
            matmul(out, into, p, columns.v(qkv, head, first, count), 1.0, Threads::One);
            into = Into::Add;
        }
    }
}

/// Heads' outputs [n, q_dim] from q | k | v.
pub(super) fn forward(
    columns: &Columns,
    segments: &[Segment],
    qkv: &[f32],
    (score_buffer, head_major): (&mut Vec<f32>, &mut Vec<f32>),
    out: &mut [f32],
) {
    let (dim, heads) = (columns.head_dim, columns.heads);
    let block = segments.iter().map(block_of_scores).sum::<usize>();
    let n = out.len() / columns.q_dim;
    let mut tasks = Vec::with_capacity(segments.len() * heads);
    let (mut s, mut o) = (sized(score_buffer, heads * block), sized(head_major, heads * n * dim));
    for segment in segments {
        for head in 0..heads {
            let (s_task, s_rest) = s.split_at_mut(block_of_scores(segment));
            let (o_task, o_rest) = o.split_at_mut(segment.rows.len() * dim);
            tasks.push((segment, head, s_task, o_task));
            (s, o) = (s_rest, o_rest);
        }
    }
    each(tasks, |(segment, head, s, o)| one(columns, qkv, segment, head, s, o));
    let mut from = 0;
    for segment in segments {
        for head in 0..heads {
            for row in segment.rows.clone() {
                let to = row * columns.q_dim + head * dim;
                out[to..to + dim].copy_from_slice(&head_major[from..from + dim]);
                from += dim;
            }
        }
    }
}
