//! Packing columns of a matrix into panels.

use super::PANEL;
use super::transpose::{self, SIDE};
use crate::kernel::matrix::Mat;
use crate::kernel::team::{each, lead};

/// A matrix [k, n], packed as a whole.
#[derive(Debug)]
pub(crate) struct Panels {
    pub(super) k: usize,
    pub(super) n: usize,
    /// [panels, k, PANEL]; columns past n are zero.
    data: Vec<f32>,
}

impl Panels {
    /// Packs the transpose of a row-major weight [n, k].
    pub(crate) fn transposed(weight: &[f32], n: usize, k: usize) -> Self {
        let mut data = vec![0.0; n.div_ceil(PANEL) * k * PANEL];
        let w = Mat::dense(weight, n, k).t();
        lead(|| {
            each(data.chunks_mut((k * PANEL).max(1)).enumerate(), |(panel, data)| {
                let column = panel * PANEL;
                pack(w, 0, k, column, PANEL.min(n - column), data);
            });
        });
        Panels { k, n, data }
    }

    /// A panel from step `from` of k.
    pub(super) fn part(&self, panel: usize, from: usize) -> &[f32] {
        &self.data[(panel * self.k + from) * PANEL..]
    }
}

/// Rows `from..from + steps` of `w`, columns `column..column + columns`, into `out` [steps, PANEL]; the columns left are zero.
pub(super) fn pack(w: Mat<'_>, from: usize, steps: usize, column: usize, columns: usize, out: &mut [f32]) {
    let out = &mut out[..steps * PANEL];
    if columns < PANEL {
        out.fill(0.0);
    }
    if w.col_stride == 1 {
        for (t, out) in out.chunks_exact_mut(PANEL).enumerate() {
            let row = w.line((from + t) * w.row_stride + column, columns);
            out[..columns].copy_from_slice(row);
        }
    } else {
        assert!(w.row_stride == 1, "a matrix runs along its rows or along its columns");
        for (line, out) in out.chunks_mut(SIDE * PANEL).enumerate() {
            turn(w, from + line * SIDE, column, columns, out);
        }
    }
}

/// Up to [`SIDE`] steps of k, of columns that run along k.
fn turn(w: Mat<'_>, from: usize, column: usize, columns: usize, out: &mut [f32]) {
    let steps = out.len() / PANEL;
    let at = |j: usize| (column + j) * w.col_stride + from;
    let whole = if steps == SIDE { columns / SIDE * SIDE } else { 0 };
    for j in (0..whole).step_by(SIDE) {
        let numbers = w.line(at(j), (SIDE - 1) * w.col_stride + SIDE);
        transpose::block(numbers, w.col_stride, &mut out[j..]);
    }
    for j in whole..columns {
        for (out, v) in out[j..].iter_mut().step_by(PANEL).zip(w.line(at(j), steps)) {
            *out = *v;
        }
    }
}
