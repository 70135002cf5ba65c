//! The bf16 product in AVX512-BF16.

use std::arch::x86_64::*;

use super::{BLOCK, Job, PANEL, ROWS};

/// Numbers of the packed matrix in a cache line.
const LINE: usize = 16;

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

/// Numbers of two rows side by side; zeros for a missing second row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) unsafe fn beside(first: &[f32], second: Option<&[f32]>, out: &mut [u32]) {
    for i in (0..out.len()).step_by(16) {
        let left = (out.len() - i).min(16);
        let mask = ((1u32 << left) - 1) as u16;
        // SAFETY: masked to the numbers that are there; both rows are as long as `out`.
        unsafe {
            let half = |row: &[f32]| {
                let halves = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row[i..].as_ptr()));
                _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(halves))
            };
            let mut pair = half(first);
            if let Some(second) = second {
                pair = _mm512_or_si512(pair, _mm512_slli_epi32::<16>(half(second)));
            }
            _mm512_mask_storeu_epi32(out[i..].as_mut_ptr().cast(), mask, pair);
        }
    }
}

/// All rows against one panel, in blocks of k.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) unsafe fn run_panel(job: &Job, w: *const u32, column: usize) {
    let mut from = 0;
    while from < job.pairs {
        let block = BLOCK.min(job.pairs - from);
        let mut row = 0;
        // What comes after this block, most often the next panel, in equal parts beside each tile: weights that were not used
        // for a while come from memory, and only the first tile of a panel would wait for them.
        let share = (block * PANEL / LINE).div_ceil(job.rows.div_ceil(ROWS));
        let next = w.wrapping_add((from + block) * PANEL);
        let ahead = |row: usize| (next.wrapping_add(row / ROWS * share * LINE), share);
        // SAFETY: rows, pairs and columns stay within the job's.
        unsafe {
            while row + ROWS <= job.rows {
                tile::<ROWS>(job, w, column, row, from, block, ahead(row));
                row += ROWS;
            }
            match job.rows - row {
                1 => tile::<1>(job, w, column, row, from, block, ahead(row)),
                2 => tile::<2>(job, w, column, row, from, block, ahead(row)),
                3 => tile::<3>(job, w, column, row, from, block, ahead(row)),
                4 => tile::<4>(job, w, column, row, from, block, ahead(row)),
                5 => tile::<5>(job, w, column, row, from, block, ahead(row)),
                _ => {}
            }
        }
        from += block;
    }
}

/// `M` rows from `row` against the panel's pairs `from..from + block`; meanwhile asks memory for `ahead`, lines from an address
/// (which need not be there: nothing is read).
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
    ahead: (*const u32, usize),
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
            if t < ahead.1 {
                _mm_prefetch::<_MM_HINT_T1>(ahead.0.wrapping_add(LINE * t).cast());
            }
        }
        let scale = _mm512_set1_ps(job.scale);
        for (r, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                let left = job.n.saturating_sub(column + 16 * j).min(16);
                let mask = ((1u32 << left) - 1) as u16;
                let to = job.y.add((row + r) * job.stride).wrapping_add(column + 16 * j);
                // Blocks of k after the first add to what is there.
                let old =
                    if from > 0 || job.add { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(to, mask, _mm512_fmadd_ps(*sum, scale, old));
            }
        }
    }
}
