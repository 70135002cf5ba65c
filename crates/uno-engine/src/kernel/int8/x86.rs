//! The 8-bit product in AVX512-VNNI. Loops over indices: what iterators call is not inlined into a function with target
//! features, and registers would live in memory.
#![allow(clippy::needless_range_loop, reason = "see above")]

use std::arch::x86_64::*;

use super::left::LeftGroup;
use super::{GROUP, Job, LINES, Line, PANEL, QUADS, inverse_of, scale_of};

/// Rows that share the loaded weights: with two columns of registers each, 12 of 32 hold a group's sums and 12 the row's.
const ROWS: usize = 6;

/// Up to [`GROUP`] numbers of `x` as bytes; the rest of `bytes` becomes zero.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn round_group(x: &[f32], bytes: &mut [i8]) -> LeftGroup {
    debug_assert!(x.len() <= GROUP && bytes.len() == GROUP);
    // SAFETY: masks keep loads within `x`; stores cover the GROUP bytes.
    unsafe {
        let mut v = [_mm512_setzero_ps(); 4];
        let mut max = _mm512_setzero_ps();
        let mut odd = 0u16;
        for i in 0..4 {
            let left = x.len().saturating_sub(16 * i).min(16);
            let mask = ((1u32 << left) - 1) as u16;
            v[i] = _mm512_maskz_loadu_ps(mask, x.as_ptr().wrapping_add(16 * i));
            odd |= _mm512_fpclass_ps_mask::<0x99>(v[i]);
            max = _mm512_max_ps(max, _mm512_abs_ps(v[i]));
        }
        let max = if odd == 0 { _mm512_reduce_max_ps(max) } else { f32::NAN };
        let inverse = _mm512_set1_ps(inverse_of(max));
        let mut sum = _mm512_setzero_si512();
        for i in 0..4 {
            let whole = _mm512_cvtps_epi32(_mm512_mul_ps(v[i], inverse));
            sum = _mm512_add_epi32(sum, whole);
            _mm_storeu_si128(bytes.as_mut_ptr().add(16 * i).cast(), _mm512_cvtsepi32_epi8(whole));
        }
        LeftGroup { scale: scale_of(max), correction: _mm512_reduce_add_epi32(sum).wrapping_mul(-128) }
    }
}

/// All rows against one panel.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn run_panel(job: &Job<'_>, panel: usize) {
    let mut row = 0;
    // SAFETY: rows and columns stay within the job's.
    unsafe {
        let w = job.w.data.as_ptr().add(panel * job.w.groups() * LINES);
        while row + ROWS <= job.rows {
            tile::<ROWS>(job, w, panel * PANEL, row);
            row += ROWS;
        }
        match job.rows - row {
            1 => tile::<1>(job, w, panel * PANEL, row),
            2 => tile::<2>(job, w, panel * PANEL, row),
            3 => tile::<3>(job, w, panel * PANEL, row),
            4 => tile::<4>(job, w, panel * PANEL, row),
            5 => tile::<5>(job, w, panel * PANEL, row),
            _ => {}
        }
    }
}

/// `M` rows from `row` against a panel.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn tile<const M: usize>(job: &Job<'_>, mut w: *const Line, column: usize, row: usize) {
    // SAFETY: the caller's rows and panel lie within the factors, and the mask keeps stores within a row.
    unsafe {
        let groups = job.w.groups();
        let x = job.left.bytes.as_ptr().cast::<i32>().add(row * groups * QUADS);
        let parts = job.left.groups.as_ptr().add(row * groups);
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        for group in 0..groups {
            let mut inner = [[_mm512_setzero_si512(); 2]; M];
            for r in 0..M {
                let correction = _mm512_set1_epi32((*parts.add(r * groups + group)).correction);
                inner[r] = [correction; 2];
            }
            for t in 0..QUADS {
                let a = _mm512_load_si512(w.add(2 * t).cast());
                let b = _mm512_load_si512(w.add(2 * t + 1).cast());
                for r in 0..M {
                    let quad = x.add((r * groups + group) * QUADS + t).read_unaligned();
                    let quad = _mm512_set1_epi32(quad);
                    inner[r][0] = _mm512_dpbusd_epi32(inner[r][0], a, quad);
                    inner[r][1] = _mm512_dpbusd_epi32(inner[r][1], b, quad);
                }
            }
            let a = _mm512_load_ps(w.add(2 * QUADS).cast());
            let b = _mm512_load_ps(w.add(2 * QUADS + 1).cast());
            for r in 0..M {
                let scale = _mm512_set1_ps((*parts.add(r * groups + group)).scale);
                let (first, second) = (_mm512_cvtepi32_ps(inner[r][0]), _mm512_cvtepi32_ps(inner[r][1]));
                sums[r][0] = _mm512_fmadd_ps(first, _mm512_mul_ps(a, scale), sums[r][0]);
                sums[r][1] = _mm512_fmadd_ps(second, _mm512_mul_ps(b, scale), sums[r][1]);
            }
            w = w.add(LINES);
        }
        let scale = _mm512_set1_ps(job.scale);
        for r in 0..M {
            for j in 0..2 {
                let left = job.w.n.saturating_sub(column + 16 * j).min(16);
                let mask = ((1u32 << left) - 1) as u16;
                let to = job.y.wrapping_add((row + r) * job.stride + column + 16 * j);
                let old = if job.add { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(to, mask, _mm512_fmadd_ps(sums[r][j], scale, old));
            }
        }
    }
}
