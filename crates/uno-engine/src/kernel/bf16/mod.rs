//! Products of bf16 factors with f32 sums, `y[m, n] = x[m, k] · w[k, n]`, on machines with AVX512-BF16: twice the
//! multiplications per instruction of f32. Training and scoring use it when asked to; see [`crate::Precision`].
//!
//! The frozen matrix is packed once: panels of [`PANEL`] columns, in each the pairs (k, k + 1) of a column side by side, as
//! `vdpbf16ps` wants them. A row's sums depend on k alone, never on the rows or threads beside it.

mod pack;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;

use super::matrix::{Mat, MatMut};
use super::parallel::{ranges, rows_per_task};
use super::product::{Into, Threads};
use super::team::{each, lead};

/// Columns of a panel: four registers.
const PANEL: usize = 64;

/// Pairs of k that are worked through at a time, so that a panel's part stays in the second-level cache.
const BLOCK: usize = 1024;

/// Rows that share the loaded weights; with four columns of registers each, 24 of 32 registers hold sums.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 6;

/// A packed matrix [k, n].
#[derive(Debug, Default)]
pub(crate) struct Packed {
    k: usize,
    n: usize,
    /// [panels, pairs, PANEL], the lower half of each number is the even k.
    data: Vec<u32>,
}

/// Whether this machine has the instructions.
pub(crate) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *FOUND.get_or_init(|| {
            super::level::level() == super::level::Level::Avx512 && is_x86_feature_detected!("avx512bf16")
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// To nearest, ties to even.
fn round(value: f32) -> u32 {
    u32::from(half::bf16::from_f32(value).to_bits())
}

impl Packed {
    /// Packs the transpose of a weight [n, k].
    pub(crate) fn of_transpose(w: Mat<'_>) -> Self {
        Packed::of(w.t())
    }

    /// Packs a matrix [k, n] whose elements are adjacent along k or along n.
    pub(crate) fn of(w: Mat<'_>) -> Self {
        let mut packed = Packed::default();
        lead(|| packed.fill(w));
        packed
    }

    /// Becomes the packed `w`, in the memory that is there.
    pub(crate) fn fill(&mut self, w: Mat<'_>) {
        (self.k, self.n) = (w.rows, w.cols);
        let per_panel = self.pairs() * PANEL;
        // What the last panel has past n is multiplied and not stored; it only must not be missing.
        self.data.resize(w.cols.div_ceil(PANEL) * per_panel, 0);
        each(self.data.chunks_mut(per_panel.max(1)).enumerate(), |(panel, data)| {
            pack::panel(w, panel * PANEL, data);
        });
    }

    fn pairs(&self) -> usize {
        self.k.div_ceil(2)
    }
}

thread_local! {
    /// The left factor in bf16, two numbers each; kept because fresh pages cost as much as the product.
    static LEFT: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// `y (+)= scale · x · w`; rows of `x` have adjacent elements. Only where [`available`].
pub(crate) fn product(mut y: MatMut<'_>, into: Into, x: Mat<'_>, w: &Packed, scale: f32, threads: Threads) {
    assert!(x.cols == w.k && y.cols == w.n && y.rows == x.rows && x.col_stride == 1);
    assert!(available(), "this machine has no bf16 products");
    if y.rows == 0 || w.n == 0 {
        return;
    }
    // Taken, not borrowed: a thread that waits for the others below may be given another product meanwhile.
    let mut buffer = LEFT.take();
    let (rows, pairs) = (y.rows, w.pairs());
    if buffer.len() < rows * pairs {
        buffer.resize(rows * pairs, 0);
    }
    let left = &mut buffer[..rows * pairs];
    let alone = threads.alone(rows * w.k * w.n);
    let task = if alone { rows } else { rows_per_task(rows) };
    let fill = |(i, left): (usize, &mut [u32])| {
        for (row, left) in left.chunks_exact_mut(pairs).enumerate() {
            convert(x.line((i * task + row) * x.row_stride, w.k), left);
        }
    };
    if task >= rows {
        fill((0, left));
    } else {
        each(left.chunks_mut(task * pairs).enumerate(), fill);
    }
    let add = into == Into::Add;
    let job = Job { x: left.as_ptr(), y: y.as_mut_ptr(), stride: y.stride, rows, pairs, n: w.n, scale, add };
    let panels = |from: usize, to: usize| {
        for panel in from..to {
            // SAFETY: `available` was checked; the panel lies in `w`, whose shape is the job's.
            unsafe { run_panel(&job, w.data.as_ptr().add(panel * pairs * PANEL), panel * PANEL) };
        }
    };
    if alone {
        panels(0, w.n.div_ceil(PANEL));
    } else {
        ranges(w.n.div_ceil(PANEL), 1, &panels);
    }
    LEFT.set(buffer);
}

struct Job {
    x: *const u32,
    y: *mut f32,
    stride: usize,
    rows: usize,
    pairs: usize,
    n: usize,
    scale: f32,
    add: bool,
}

// SAFETY: threads read `x` and write disjoint columns of `y`.
unsafe impl Sync for Job {}

#[cfg(not(target_arch = "x86_64"))]
fn convert(_x: &[f32], _left: &mut [u32]) {}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn run_panel(_job: &Job, _w: *const u32, _column: usize) {}

#[cfg(target_arch = "x86_64")]
fn convert(x: &[f32], left: &mut [u32]) {
    // SAFETY: `product` has checked the instruction set.
    unsafe { x86::convert(x, left) }
}

#[cfg(target_arch = "x86_64")]
unsafe fn run_panel(job: &Job, w: *const u32, column: usize) {
    // SAFETY: as the caller promises.
    unsafe { x86::run_panel(job, w, column) }
}

#[cfg(test)]
mod tests;
