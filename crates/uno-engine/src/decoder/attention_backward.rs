//! Backward of [`super::attention`].

use super::attention::{BLOCK, Columns, block_of_scores, probabilities, runs};
use super::packed::Segment;
use super::workspace::sized;
use crate::kernel::activation::add;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::parallel::rows_per_task;
use crate::kernel::product::{Into, Threads, matmul};
use crate::kernel::softmax::softmax_backward;
use crate::kernel::team::each;

/// Buffers of one head: gradients of its q, k and v [n, head_dim] each; a block of probabilities and of its gradient.
struct HeadTask<'a> {
    head: usize,
    dq: &'a mut [f32],
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    p: &'a mut [f32],
    d_scores: &'a mut [f32],
}

/// All segments of one head. Query heads that share a key/value head are summed by the caller.
fn one(columns: &Columns, segments: &[Segment], qkv: &[f32], d_heads: &[f32], task: HeadTask<'_>) {
    let HeadTask { head, dq, dk, dv, p, d_scores } = task;
    let dim = columns.head_dim;
    for segment in segments {
        let rows = segment.rows.len();
        for from in (0..rows).step_by(BLOCK) {
            let n = BLOCK.min(rows - from);
            let seen = segment.prefix.len() + from + n;
            let row = segment.rows.start + from;
            let (p, d_scores) = (&mut p[..n * seen], &mut d_scores[..n * seen]);
            probabilities(columns, qkv, (segment, head), (from, n), p);
            let d_out = Mat::strided(&d_heads[row * columns.q_dim + head * dim..], n, dim, columns.q_dim);
            for (first, count, column) in runs(segment, from + n) {
                let d_p = MatMut::strided(&mut d_scores[column..], n, count, seen);
                matmul(d_p, Into::Set, d_out, columns.v(qkv, head, first, count).t(), 1.0, Threads::One);
                let p = Mat::strided(&p[column..], n, count, seen);
                let dv = MatMut::dense(&mut dv[first * dim..], count, dim);
                matmul(dv, Into::Add, p.t(), d_out, 1.0, Threads::One);
            }
            for (i, (p, d)) in p.chunks_exact(seen).zip(d_scores.chunks_exact_mut(seen)).enumerate() {
                let visible = segment.prefix.len() + from + i + 1;
                softmax_backward(&p[..visible], &mut d[..visible], columns.scale);
                d[visible..].fill(0.0);
            }
            let q = columns.q(qkv, head, row, n);
            let mut into = Into::Set;
            for (first, count, column) in runs(segment, from + n) {
                let d = Mat::strided(&d_scores[column..], n, count, seen);
                let dq = MatMut::dense(&mut dq[row * dim..], n, dim);
                matmul(dq, into, d, columns.k(qkv, head, first, count), 1.0, Threads::One);
                into = Into::Add;
                matmul(
                    MatMut::dense(&mut dk[first * dim..], count, dim),
                    Into::Add,
                    d.t(),
                    q,
                    1.0,
                    Threads::One,
                );
            }
        }
    }
}

/// `d_qkv` [n, q + 2 kv] from the gradient of the heads' outputs [n, q].
pub(super) fn backward(
    columns: &Columns,
    segments: &[Segment],
    (qkv, d_heads): (&[f32], &[f32]),
    (buffer, score_buffer): (&mut Vec<f32>, &mut Vec<f32>),
    d_qkv: &mut [f32],
) {
    let (heads, dim) = (columns.heads, columns.head_dim);
    let n = d_qkv.len() / columns.stride;
    let block = segments.iter().map(block_of_scores).max().unwrap_or(0);
    let gradients = sized(buffer, heads * 3 * n * dim);
    let scores = sized(score_buffer, heads * 2 * block);
    let per_head = gradients.chunks_mut(3 * n * dim).zip(scores.chunks_mut(2 * block.max(1))).enumerate();
    each(per_head, |(head, (gradients, scores))| {
        let (p, d_scores) = scores.split_at_mut(block);
        let (dq, rest) = gradients.split_at_mut(n * dim);
        let (dk, dv) = rest.split_at_mut(n * dim);
        dk.fill(0.0);
        dv.fill(0.0);
        one(columns, segments, qkv, d_heads, HeadTask { head, dq, dk, dv, p, d_scores });
    });
    let gradients = &*gradients;
    let rows = rows_per_task(n);
    let one_row = |row: usize, out: &mut [f32]| {
        let (dq, rest) = out.split_at_mut(columns.q_dim);
        let (dk, dv) = rest.split_at_mut(columns.kv_dim);
        let part = |head: usize, which: usize| &gradients[((head * 3 + which) * n + row) * dim..][..dim];
        dk.fill(0.0);
        dv.fill(0.0);
        for head in 0..heads {
            let kv = head / columns.per_kv * dim;
            dq[head * dim..(head + 1) * dim].copy_from_slice(part(head, 0));
            add(&mut dk[kv..kv + dim], part(head, 1));
            add(&mut dv[kv..kv + dim], part(head, 2));
        }
    };
    each(d_qkv.chunks_mut(columns.stride * rows).enumerate(), |(block, out)| {
        let each_row = out.chunks_exact_mut(columns.stride).enumerate();
        each_row.for_each(|(row, out)| one_row(block * rows + row, out));
    });
}
