//! Products of bf16 factors with f32 sums, `y[m, n] = x[m, k] · w[k, n]`, on machines with AVX512-BF16: twice the
//! multiplications per instruction of f32. Training and scoring use it when asked to; see [`crate::Precision`].
//!
//! The frozen matrix is packed once: panels of [`PANEL`] columns, in each the pairs (k, k + 1) of a column side by side, as
//! `vdpbf16ps` wants them. A row's sums depend on k alone, never on the rows or threads beside it.

use std::cell::RefCell;

use rayon::prelude::*;

use super::matrix::MatMut;
use super::parallel::{ranges, rows_per_task};

/// Columns of a panel: four registers.
const PANEL: usize = 64;

/// Pairs of k that are worked through at a time, so that a panel's part stays in the second-level cache.
const BLOCK: usize = 1024;

/// Rows that share the loaded weights; with four columns of registers each, 24 of 32 registers hold sums.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 6;

/// A packed matrix [k, n].
#[derive(Debug)]
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
    /// Packs the matrix [k, n] whose element (k, n) is `at(k, n)`.
    pub(crate) fn new(k: usize, n: usize, at: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let (panels, pairs) = (n.div_ceil(PANEL), k.div_ceil(2));
        let mut data = vec![0u32; panels * pairs * PANEL];
        let get = |row: usize, column: usize| if row < k && column < n { round(at(row, column)) } else { 0 };
        data.par_chunks_mut((pairs * PANEL).max(1)).enumerate().for_each(|(panel, data)| {
            for (pair, data) in data.chunks_exact_mut(PANEL).enumerate() {
                for (j, number) in data.iter_mut().enumerate() {
                    let column = panel * PANEL + j;
                    *number = get(2 * pair, column) | get(2 * pair + 1, column) << 16;
                }
            }
        });
        Packed { k, n, data }
    }

    fn pairs(&self) -> usize {
        self.k.div_ceil(2)
    }
}

thread_local! {
    /// The left factor in bf16, two numbers each; kept because fresh pages cost as much as the product.
    static LEFT: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// `y = scale · x · w` for `x` [rows, k], dense. Only where [`available`].
pub(crate) fn product(mut y: MatMut<'_>, x: &[f32], w: &Packed, scale: f32) {
    assert!(y.cols == w.n && x.len() >= y.rows * w.k, "product of {} rows with [{}, {}]", y.rows, w.k, w.n);
    assert!(available(), "this machine has no bf16 products");
    if y.rows == 0 || w.n == 0 {
        return;
    }
    // Taken, not borrowed: a thread that waits for the others below may be given another product meanwhile.
    let mut buffer = LEFT.take();
    let pairs = w.pairs();
    if buffer.len() < y.rows * pairs {
        buffer.resize(y.rows * pairs, 0);
    }
    let left = &mut buffer[..y.rows * pairs];
    let task = rows_per_task(y.rows);
    left.par_chunks_mut(task * pairs).zip(x[..y.rows * w.k].par_chunks(task * w.k)).for_each(|(left, x)| {
        for (left, x) in left.chunks_exact_mut(pairs).zip(x.chunks_exact(w.k)) {
            convert(x, left);
        }
    });
    let job =
        Job { x: left.as_ptr(), y: y.as_mut_ptr(), stride: y.stride, rows: y.rows, pairs, n: w.n, scale };
    ranges(w.n.div_ceil(PANEL), 1, &|from, to| {
        for panel in from..to {
            // SAFETY: `available` was checked; the panel lies in `w`, whose shape is the job's.
            unsafe { run_panel(&job, w.data.as_ptr().add(panel * pairs * PANEL), panel * PANEL) };
        }
    });
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Job, PANEL, ROWS};

    /// A row as pairs of bf16; an odd last number gets a zero beside it.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    pub(super) unsafe fn convert(x: &[f32], left: &mut [u32]) {
        let whole = x.len() / 16 * 16;
        // SAFETY: sixteen numbers of `x` become eight of `left`, which has half as many, rounded up.
        unsafe {
            for i in (0..whole).step_by(16) {
                let halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(x.as_ptr().add(i)));
                let to = left.as_mut_ptr().add(i / 2).cast::<__m256i>();
                _mm256_storeu_si256(to, std::mem::transmute::<__m256bh, __m256i>(halves));
            }
        }
        for i in (whole..x.len()).step_by(2) {
            left[i / 2] = super::round(x[i]) | x.get(i + 1).map_or(0, |v| super::round(*v)) << 16;
        }
    }

    /// All rows against one panel, in blocks of k.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    pub(super) unsafe fn run_panel(job: &Job, w: *const u32, column: usize) {
        let mut from = 0;
        while from < job.pairs {
            let block = BLOCK.min(job.pairs - from);
            let mut row = 0;
            // SAFETY: rows, pairs and columns stay within the job's.
            unsafe {
                while row + ROWS <= job.rows {
                    tile::<ROWS>(job, w, column, row, from, block);
                    row += ROWS;
                }
                match job.rows - row {
                    1 => tile::<1>(job, w, column, row, from, block),
                    2 => tile::<2>(job, w, column, row, from, block),
                    3 => tile::<3>(job, w, column, row, from, block),
                    4 => tile::<4>(job, w, column, row, from, block),
                    5 => tile::<5>(job, w, column, row, from, block),
                    _ => {}
                }
            }
            from += block;
        }
    }

    /// `M` rows from `row` against the panel's pairs `from..from + block`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    #[allow(clippy::needless_range_loop, reason = "see below")]
    unsafe fn tile<const M: usize>(
        job: &Job,
        w: *const u32,
        column: usize,
        row: usize,
        from: usize,
        block: usize,
    ) {
        // SAFETY: the caller's ranges lie within the packed factors, and the mask keeps stores within the row.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 4]; M];
            let mut w = w.add(from * PANEL);
            // Loops over indices: what iterators call is not inlined into a function with target features, and registers
            // would live in memory.
            for t in 0..block {
                let mut columns = [_mm512_setzero_si512(); 4];
                for j in 0..4 {
                    columns[j] = _mm512_loadu_si512(w.add(16 * j).cast());
                }
                for r in 0..M {
                    let pair = job.x.add((row + r) * job.pairs + from + t).read();
                    let pair = _mm512_set1_epi32(pair.cast_signed());
                    for j in 0..4 {
                        sums[r][j] = _mm512_dpbf16_ps(
                            sums[r][j],
                            std::mem::transmute::<__m512i, __m512bh>(pair),
                            std::mem::transmute::<__m512i, __m512bh>(columns[j]),
                        );
                    }
                }
                w = w.add(PANEL);
            }
            let scale = _mm512_set1_ps(job.scale);
            for (r, sums) in sums.iter().enumerate() {
                for (j, sum) in sums.iter().enumerate() {
                    let left = job.n.saturating_sub(column + 16 * j).min(16);
                    let mask = ((1u32 << left) - 1) as u16;
                    let to = job.y.add((row + r) * job.stride).wrapping_add(column + 16 * j);
                    // Blocks of k after the first add to what is there.
                    let old = if from > 0 { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
                    _mm512_mask_storeu_ps(to, mask, _mm512_fmadd_ps(*sum, scale, old));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::noise;

    /// Equal to f64 products of the rounded factors, for shapes that leave remainders everywhere and several blocks of k.
    #[test]
    fn products_of_rounded_factors_are_exact_but_for_the_sum() {
        if !available() {
            eprintln!("SKIPPED: no AVX512-BF16 here");
            return;
        }
        let rounded = |v: f32| f64::from(half::bf16::from_f32(v).to_f32());
        for (m, n, k) in [(1, 1, 1), (6, 64, 32), (7, 65, 33), (5, 130, 100), (13, 70, 4 * BLOCK + 3)] {
            let (x, w) = (noise(m * k, 1), noise(k * n, 2));
            let packed = Packed::new(k, n, |row, column| w[row * n + column]);
            let mut y = vec![f32::NAN; m * n];
            product(MatMut::dense(&mut y, m, n), &x, &packed, 0.5);
            for r in 0..m {
                for c in 0..n {
                    let sum: f64 = (0..k).map(|t| rounded(x[r * k + t]) * rounded(w[t * n + c])).sum();
                    let error = (f64::from(y[r * n + c]) - 0.5 * sum).abs();
                    assert!(error < 1e-5 * (k as f64).sqrt() + 1e-6, "{m}x{n}x{k}: {error}");
                }
            }
        }
    }
}
