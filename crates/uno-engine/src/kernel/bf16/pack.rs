//! Packing a matrix: every other row beside the one before it, in panels of columns.

use super::{PANEL, round};
use crate::kernel::matrix::Mat;

/// Pairs that are written together for columns that run along k, so that their lines stay in the first-level cache.
const PAIRS: usize = 16;

/// The panel of `w` [k, n] from `column` into `out` [pairs, PANEL], whose columns past n stay as they are.
pub(super) fn panel(w: Mat<'_>, column: usize, out: &mut [u32]) {
    let columns = PANEL.min(w.cols - column);
    if w.col_stride == 1 {
        for (pair, out) in out.chunks_exact_mut(PANEL).enumerate() {
            let line = |row: usize| w.line(row * w.row_stride + column, columns);
            let second = (2 * pair + 1 < w.rows).then(|| line(2 * pair + 1));
            beside(line(2 * pair), second, &mut out[..columns]);
        }
        return;
    }
    assert!(w.row_stride == 1, "a matrix runs along its rows or along its columns");
    for (block, out) in out.chunks_mut(PAIRS * PANEL).enumerate() {
        let from = 2 * PAIRS * block;
        let steps = (2 * PAIRS).min(w.rows - from);
        for j in 0..columns {
            let line = w.line((column + j) * w.col_stride + from, steps);
            let mut pairs = [0u32; PAIRS];
            convert(line, &mut pairs[..steps.div_ceil(2)]);
            for (out, pair) in out.chunks_exact_mut(PANEL).zip(pairs) {
                out[j] = pair;
            }
        }
    }
}

/// Numbers of two rows side by side; zeros for a missing second row.
fn beside(first: &[f32], second: Option<&[f32]>, out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if super::available() {
        // SAFETY: the instruction set is there.
        unsafe { super::x86::beside(first, second, out) };
        return;
    }
    for (i, out) in out.iter_mut().enumerate() {
        *out = round(first[i]) | second.map_or(0, |s| round(s[i])) << 16;
    }
}

/// A row as pairs; an odd last number gets a zero beside it.
fn convert(x: &[f32], out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if super::available() {
        // SAFETY: the instruction set is there.
        unsafe { super::x86::convert(x, out) };
        return;
    }
    for (pair, out) in x.chunks(2).zip(out) {
        *out = round(pair[0]) | pair.get(1).map_or(0, |v| round(*v)) << 16;
    }
}
