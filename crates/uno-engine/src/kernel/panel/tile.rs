//! The loops over one packed block.

use super::Job;
use crate::kernel::lanes::Lanes;
use crate::kernel::level::Level;

/// One panel.
///
/// # Safety
/// The views are as the job says, with `w` readable up to the next multiple of 32 columns.
pub(super) unsafe fn run(level: Level, job: &Job) {
    // SAFETY: the level was detected on this machine; the rest is the caller's promise.
    unsafe {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512(job),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2(job),
            _ => columns::<[f32; 8], 4, 2>(job),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn avx512(job: &Job) {
    // SAFETY: the features are enabled here; the rest is the caller's promise. Four registers where a panel needs them.
    unsafe {
        if job.n > 32 {
            columns::<std::arch::x86_64::__m512, 6, 4>(job);
        } else {
            columns::<std::arch::x86_64::__m512, 6, 2>(job);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(job: &Job) {
    // SAFETY: as above; two registers of eight, so that six rows of sums fit in sixteen registers.
    unsafe { columns::<std::arch::x86_64::__m256, 6, 2>(job) }
}

/// The columns `C` registers at a time, `M` rows at a time.
#[inline(always)]
unsafe fn columns<L: Lanes, const M: usize, const C: usize>(job: &Job) {
    for column in (0..job.n).step_by(C * L::WIDTH) {
        let mut row = 0;
        // SAFETY: rows below m, columns below n (the store is masked).
        unsafe {
            while row + M <= job.m {
                tile::<L, M, C>(job, row, column);
                row += M;
            }
            if M > 4 && row + 4 <= job.m {
                tile::<L, 4, C>(job, row, column);
                row += 4;
            }
            if row + 2 <= job.m {
                tile::<L, 2, C>(job, row, column);
                row += 2;
            }
            while row < job.m {
                tile::<L, 1, C>(job, row, column);
                row += 1;
            }
        }
    }
}

/// `M` rows from `row` against `C` registers of columns from `column`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "see below")]
unsafe fn tile<L: Lanes, const M: usize, const C: usize>(job: &Job, row: usize, column: usize) {
    // SAFETY: the caller's ranges. Loops over indices, because what iterators call is not inlined into functions with
    // target features, and registers would live in memory.
    unsafe {
        let mut sums = [[L::zero(); C]; M];
        let mut x = job.x.add(row * job.x_row);
        let mut w = job.w.add(column);
        for _ in 0..job.k {
            let mut columns = [L::zero(); C];
            for j in 0..C {
                columns[j] = L::load(w.add(j * L::WIDTH));
            }
            for r in 0..M {
                let x = L::splat(*x.add(r * job.x_row));
                for j in 0..C {
                    sums[r][j] = x.fma(columns[j], sums[r][j]);
                }
            }
            // Past the end after the last step, where nothing is read any more.
            x = x.wrapping_add(job.x_col);
            w = w.wrapping_add(job.w_stride);
        }
        let scale = L::splat(job.scale);
        for (r, sums) in sums.iter().enumerate() {
            let y = job.y.add((row + r) * job.y_stride + column);
            for (j, sum) in sums.iter().enumerate() {
                let left = job.n.saturating_sub(column + j * L::WIDTH);
                let y = y.wrapping_add(j * L::WIDTH);
                if left >= L::WIDTH {
                    let old = if job.add { L::load(y) } else { L::zero() };
                    sum.fma(scale, old).store(y);
                } else if left > 0 {
                    let old = if job.add { L::load_part(y, left) } else { L::zero() };
                    sum.fma(scale, old).store_part(y, left);
                }
            }
        }
    }
}
