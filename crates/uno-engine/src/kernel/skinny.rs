//! A few rows against a long row-major weight, `y[m, n] (+)= scale * x[m, k] · w[n, k]ᵀ`: each weight row is read once from
//! memory while the rows of x stay in cache. This is what decoding spends its time on.
//!
//! Each output is one dot product whose order of additions depends on `k` only, so that a sequence gets the same bits in
//! any batch and with any number of threads.

use super::lanes::{Element, Lanes};
use super::level::{Level, level};
use super::matrix::{Mat, MatMut};
use super::parallel::ranges;
use super::product::{Into, Threads};

/// Addresses and shape of one product; shared by the threads, each of which writes other columns of `y`.
#[derive(Clone, Copy)]
struct Job<W> {
    x: *const f32,
    x_stride: usize,
    w: *const W,
    w_stride: usize,
    y: *mut f32,
    y_stride: usize,
    m: usize,
    k: usize,
    scale: f32,
    add: bool,
    /// How far ahead of the current weights to prefetch, in numbers.
    ahead: usize,
}

impl<W: Copy> Job<W> {
    /// The part of the job that covers `n` rows from `first`.
    fn rows(&self, first: usize, n: usize) -> Job<W> {
        assert!(first + n <= self.m);
        // SAFETY: the rows are rows of both views.
        let (x, y) = unsafe { (self.x.add(first * self.x_stride), self.y.add(first * self.y_stride)) };
        Job { x, y, m: n, ..*self }
    }
}

// SAFETY: threads read `x` and `w` and write disjoint columns of `y` (see `product`).
unsafe impl<W> Sync for Job<W> {}

/// `M` rows of x from `row` against weight rows `from..from+count`, `count <= 4`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "see below")]
unsafe fn tile<L: Lanes, W: Element, const M: usize>(job: &Job<W>, row: usize, from: usize, count: usize) {
    // The hardware does not see through four interleaved streams: while the first rows of x meet these weights, the next
    // weights are asked for.
    // SAFETY: `row + M <= m`, `from + count <= n`; all addresses lie in the views that `product` was given. Loops over
    // indices, because what iterators and closures call is not inlined into functions with target features, and registers
    // would live in memory.
    unsafe {
        let mut x = [job.x; M];
        for r in 0..M {
            x[r] = job.x.add((row + r) * job.x_stride);
        }
        let mut w = [job.w; 4];
        for j in 0..4 {
            w[j] = job.w.add((from + j.min(count - 1)) * job.w_stride);
        }
        let mut sums = [[L::zero(); 4]; M];
        let mut wt = [L::zero(); 4];
        let whole = job.k / L::WIDTH * L::WIDTH;
        let mut t = 0;
        while t < whole {
            for j in 0..4 {
                wt[j] = W::load(w[j].add(t));
                if row == 0 {
                    L::prefetch(w[j].wrapping_add(job.ahead + t).cast());
                }
            }
            for r in 0..M {
                let xt = L::load(x[r].add(t));
                for j in 0..4 {
                    sums[r][j] = xt.fma(wt[j], sums[r][j]);
                }
            }
            t += L::WIDTH;
        }
        if t < job.k {
            for j in 0..4 {
                wt[j] = W::load_part(w[j].add(t), job.k - t);
            }
            for r in 0..M {
                let xt = L::load_part(x[r].add(t), job.k - t);
                for j in 0..4 {
                    sums[r][j] = xt.fma(wt[j], sums[r][j]);
                }
            }
        }
        for r in 0..M {
            let sum = L::sums(sums[r]);
            let y = job.y.add((row + r) * job.y_stride + from);
            for j in 0..count {
                *y.add(j) = if job.add { sum[j] * job.scale + *y.add(j) } else { sum[j] * job.scale };
            }
        }
    }
}

/// Weight rows `from..to` against all rows of x, `MAX` at a time (as many as the registers hold).
#[inline(always)]
unsafe fn columns<L: Lanes, W: Element, const MAX: usize>(job: &Job<W>, from: usize, to: usize) {
    let mut j = from;
    while j < to {
        let count = (to - j).min(4);
        let mut row = 0;
        // SAFETY: rows and columns stay below m and `to`, which is at most n.
        unsafe {
            while row + MAX <= job.m {
                tile::<L, W, MAX>(job, row, j, count);
                row += MAX;
            }
            if MAX > 2 && row + 2 <= job.m {
                if MAX > 4 && row + 4 <= job.m {
                    tile::<L, W, 4>(job, row, j, count);
                    row += 4;
                }
                if row + 3 == job.m {
                    tile::<L, W, 3>(job, row, j, count);
                    row += 3;
                } else if row + 2 <= job.m {
                    tile::<L, W, 2>(job, row, j, count);
                    row += 2;
                }
            }
            while row < job.m {
                tile::<L, W, 1>(job, row, j, count);
                row += 1;
            }
        }
        j += 4;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
fn columns_avx512<W: Element>(job: &Job<W>, from: usize, to: usize) {
    // SAFETY: the features are enabled here; the range is checked by `product`.
    unsafe { columns::<std::arch::x86_64::__m512, W, 6>(job, from, to) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn columns_avx2<W: Element>(job: &Job<W>, from: usize, to: usize) {
    // SAFETY: as above.
    unsafe { columns::<std::arch::x86_64::__m256, W, 2>(job, from, to) }
}

fn run<W: Element>(level: Level, job: &Job<W>, from: usize, to: usize) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was detected on this machine.
        Level::Avx512 => unsafe { columns_avx512(job, from, to) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was detected on this machine.
        Level::Avx2 => unsafe { columns_avx2(job, from, to) },
        // SAFETY: the portable lanes need no instruction set.
        _ => unsafe { columns::<[f32; 8], W, 2>(job, from, to) },
    }
}

/// Rows of x that are served per reading of the weights: as many as stay in a core's second-level cache.
fn rows_at_a_time(k: usize) -> usize {
    (96 * 1024 / k.max(1)).clamp(6, 192) / 6 * 6
}

/// `y (+)= scale * x · wᵀ`; rows of `x` and `w` have adjacent elements.
pub(crate) fn product(y: &mut MatMut<'_>, into: Into, x: Mat<'_>, w: Mat<'_>, scale: f32, threads: Threads) {
    assert!(x.cols == w.cols && y.cols == w.rows && y.rows == x.rows);
    assert!(x.col_stride == 1 && w.col_stride == 1);
    let job = Job {
        x: x.as_ptr(),
        x_stride: x.row_stride,
        w: w.as_ptr(),
        w_stride: w.row_stride,
        y: y.as_mut_ptr(),
        y_stride: y.stride,
        m: x.rows,
        k: x.cols,
        scale,
        add: into == Into::Add,
        ahead: 8 * w.row_stride,
    };
    let (level, block) = (level(), rows_at_a_time(x.cols));
    let columns = |from: usize, to: usize| {
        for first in (0..x.rows).step_by(block) {
            run(level, &job.rows(first, block.min(x.rows - first)), from, to);
        }
    };
    if threads.alone(job.m * job.k * w.rows) {
        columns(0, w.rows);
    } else {
        ranges(w.rows, 4, &columns);
    }
}

/// `y = scale * x · wᵀ` on this thread, for dense rows of `w`, which has as many rows as `y` columns.
pub(crate) fn dots<W: Element>(level: Level, y: &mut MatMut<'_>, x: Mat<'_>, w: &[W], scale: f32) {
    assert!(w.len() == y.cols * x.cols && y.rows == x.rows && x.col_stride == 1);
    let job = Job {
        x: x.as_ptr(),
        x_stride: x.row_stride,
        w: w.as_ptr(),
        w_stride: x.cols,
        y: y.as_mut_ptr(),
        y_stride: y.stride,
        m: x.rows,
        k: x.cols,
        scale,
        add: false,
        ahead: 8 * x.cols,
    };
    run(level, &job, 0, y.cols);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{levels, noise};

    /// Every level that this machine has agrees with f64 sums, for shapes that leave remainders everywhere.
    #[test]
    fn all_levels_agree_with_f64() {
        for (m, n, k) in [
            (1, 1, 1),
            (1, 9, 64),
            (2, 5, 17),
            (3, 8, 33),
            (5, 7, 8),
            (7, 13, 100),
            (11, 6, 31),
            (32, 10, 70),
        ] {
            let (x, w) = (noise(m * k, 1), noise(n * k, 2));
            for level in levels() {
                let mut y = vec![1.0f32; m * n];
                let job = Job {
                    x: x.as_ptr(),
                    x_stride: k,
                    w: w.as_ptr(),
                    w_stride: k,
                    y: y.as_mut_ptr(),
                    y_stride: n,
                    m,
                    k,
                    scale: 0.5,
                    add: true,
                    ahead: 0,
                };
                run(level, &job, 0, n);
                for r in 0..m {
                    for c in 0..n {
                        let sum: f64 =
                            (0..k).map(|t| f64::from(x[r * k + t]) * f64::from(w[c * k + t])).sum();
                        assert!(
                            (f64::from(y[r * n + c]) - 1.0 - 0.5 * sum).abs() < 1e-5,
                            "{level:?} {m}x{n}x{k}"
                        );
                    }
                }
            }
        }
    }
}
