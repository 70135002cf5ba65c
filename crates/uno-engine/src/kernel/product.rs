//! Matrix products: [`super::panel`] for large ones, [`super::skinny`] for a few rows against a long weight.

use super::matrix::{Mat, MatMut};
use super::parallel::PARALLEL_FROM;
use super::{panel, skinny};
use crate::decoder::Precision;

/// Whether a product may use all threads of the pool or runs inside a task that is already one of many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// All threads of the current pool.
    All,
    /// The calling thread only.
    One,
}

impl Threads {
    /// Whether a product of so many multiplications stays on the calling thread.
    pub(crate) fn alone(self, multiplications: usize) -> bool {
        self == Threads::One || multiplications < PARALLEL_FROM
    }
}

/// What happens to the output's old content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// Overwritten (it may be uninitialised garbage such as NaN).
    Set,
    /// Added to.
    Add,
}

/// Whether a row's result may depend, in its last bits, on how many rows are computed together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The fastest kernel for the shape.
    Any,
    /// The same additions in the same order for every row, whatever else is in the batch: generation must not change with its
    /// batch mates.
    Fixed,
}

/// How a [`linear`] product is computed.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) order: Order,
    pub(crate) threads: Threads,
    /// Of products with frozen weights; adapters are always f32.
    pub(crate) precision: Precision,
}

impl How {
    /// Training and scoring.
    pub(crate) const FAST: How = How { order: Order::Any, threads: Threads::All, precision: Precision::F32 };
    /// Generation.
    pub(crate) const FIXED: How =
        How { order: Order::Fixed, threads: Threads::All, precision: Precision::F32 };
}

/// Up to this many rows the weights are streamed once by the skinny kernel; above it packing pays.
const SKINNY_ROWS: usize = 32;

/// `out (+)= scale * x * wᵀ` for a row-major weight, with the given promise about the order of additions.
pub(crate) fn linear(mut out: MatMut<'_>, into: Into, x: Mat<'_>, w: Mat<'_>, scale: f32, how: How) {
    match how.order {
        Order::Any => matmul(out, into, x, w.t(), scale, how.threads),
        Order::Fixed => skinny::product(&mut out, into, x, w, scale, how.threads),
    }
}

/// `out (+)= scale * a * b`.
pub(crate) fn matmul(mut out: MatMut<'_>, into: Into, a: Mat<'_>, b: Mat<'_>, scale: f32, threads: Threads) {
    assert!(
        a.cols == b.rows && out.rows == a.rows && out.cols == b.cols,
        "product of {}x{} and {}x{} into {}x{}",
        a.rows,
        a.cols,
        b.rows,
        b.cols,
        out.rows,
        out.cols
    );
    if out.rows == 0 || out.cols == 0 {
        return;
    }
    if a.rows <= SKINNY_ROWS && a.col_stride == 1 && b.row_stride == 1 {
        skinny::product(&mut out, into, a, b.t(), scale, threads);
        return;
    }
    panel::matmul(out, into, a, b, scale, threads);
}
