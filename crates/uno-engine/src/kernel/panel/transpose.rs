//! Turning blocks of 16 × 16 numbers: scalar code takes as long for it as a sixth of a product does.

use super::PANEL;
use crate::kernel::level::{Level, level};

/// Side of a block.
pub(super) const SIDE: usize = 16;

/// Row i of the result, at `out[i * PANEL..]`, becomes column i of the block whose rows are `stride` apart.
pub(super) fn block(from: &[f32], stride: usize, out: &mut [f32]) {
    assert!(from.len() >= (SIDE - 1) * stride + SIDE && out.len() >= (SIDE - 1) * PANEL + SIDE);
    match level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was detected, and both blocks lie in their slices.
        Level::Avx512 => unsafe { x86::block(from.as_ptr(), stride, out.as_mut_ptr()) },
        _ => scalar(from, stride, out),
    }
}

fn scalar(from: &[f32], stride: usize, out: &mut [f32]) {
    for (j, row) in from.chunks(stride).take(SIDE).enumerate() {
        for (out, v) in out[j..].iter_mut().step_by(PANEL).zip(&row[..SIDE]) {
            *out = *v;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, SIDE};

    /// Pairs, then fours, then quarters of registers change places.
    #[target_feature(enable = "avx512f,avx512dq")]
    #[allow(clippy::needless_range_loop, reason = "indices keep the registers in registers; see tile.rs")]
    pub(super) unsafe fn block(from: *const f32, stride: usize, out: *mut f32) {
        let mut a = [_mm512_setzero_ps(); SIDE];
        let mut b = [_mm512_setzero_ps(); SIDE];
        // SAFETY: the caller's promise about both blocks.
        unsafe {
            for i in 0..SIDE {
                a[i] = _mm512_loadu_ps(from.add(i * stride));
            }
            for i in (0..SIDE).step_by(2) {
                b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
                b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
            }
            for i in (0..SIDE).step_by(4) {
                for j in 0..2 {
                    let (x, y) = (_mm512_castps_pd(b[i + j]), _mm512_castps_pd(b[i + j + 2]));
                    a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
                    a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
                }
            }
            for i in (0..SIDE).step_by(8) {
                for j in 0..4 {
                    b[i + j] = _mm512_shuffle_f32x4::<0x88>(a[i + j], a[i + j + 4]);
                    b[i + j + 4] = _mm512_shuffle_f32x4::<0xdd>(a[i + j], a[i + j + 4]);
                }
            }
            for j in 0..8 {
                let (low, high) = (
                    _mm512_shuffle_f32x4::<0x88>(b[j], b[j + 8]),
                    _mm512_shuffle_f32x4::<0xdd>(b[j], b[j + 8]),
                );
                _mm512_storeu_ps(out.add(j * PANEL), low);
                _mm512_storeu_ps(out.add((j + 8) * PANEL), high);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_turned() {
        const STRIDE: usize = 19;
        let from: Vec<f32> = (0..SIDE * STRIDE).map(|i| i as f32).collect();
        let mut turned = vec![-1.0; SIDE * PANEL];
        block(&from, STRIDE, &mut turned);
        let mut plain = vec![-1.0; SIDE * PANEL];
        scalar(&from, STRIDE, &mut plain);
        assert_eq!(turned, plain);
        for (i, v) in turned.iter().enumerate() {
            let (row, column) = (i / PANEL, i % PANEL);
            let wanted = if column < SIDE { from[column * STRIDE + row] } else { -1.0 };
            assert_eq!(*v, wanted, "{row}, {column}");
        }
    }
}
