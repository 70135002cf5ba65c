//! Vector registers of f32: one for each level that kernels are written for by hand.

use half::bf16;

/// A vector register of f32.
pub(crate) trait Lanes: Copy {
    const WIDTH: usize;
    /// # Safety
    /// The machine has the implementing instruction set (so for all functions here).
    unsafe fn zero() -> Self;
    /// # Safety
    /// `p` is readable for `WIDTH` elements.
    unsafe fn load(p: *const f32) -> Self;
    /// # Safety
    /// `p` is readable for `n < WIDTH` elements; the others become zero.
    unsafe fn load_part(p: *const f32, n: usize) -> Self;
    /// `WIDTH` numbers of bf16.
    /// # Safety
    /// `p` is readable for `WIDTH` elements.
    unsafe fn load_bf16(p: *const bf16) -> Self;
    /// # Safety
    /// See [`Lanes::zero`].
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// # Safety
    /// See [`Lanes::zero`].
    unsafe fn splat(v: f32) -> Self;
    /// # Safety
    /// `p` is writable for `WIDTH` elements.
    unsafe fn store(self, p: *mut f32);
    /// # Safety
    /// `p` is writable for `n < WIDTH` elements; the others are not touched.
    unsafe fn store_part(self, p: *mut f32, n: usize);
    /// The sum of each of four registers.
    /// # Safety
    /// See [`Lanes::zero`].
    unsafe fn sums(v: [Self; 4]) -> [f32; 4];
    /// Asks for the memory at `p`, which need not be readable.
    #[inline(always)]
    fn prefetch(_p: *const f32) {}
}

/// What a register is filled from.
pub(crate) trait Element: Copy {
    /// # Safety
    /// `p` is readable for a register's width.
    unsafe fn load<L: Lanes>(p: *const Self) -> L;
    /// # Safety
    /// `p` is readable for `n` elements, fewer than a register's; the others become zero.
    unsafe fn load_part<L: Lanes>(p: *const Self, n: usize) -> L;
    /// As f32.
    fn number(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(p: *const f32) -> L {
        // SAFETY: as promised.
        unsafe { L::load(p) }
    }
    #[inline(always)]
    unsafe fn load_part<L: Lanes>(p: *const f32, n: usize) -> L {
        // SAFETY: as promised.
        unsafe { L::load_part(p, n) }
    }
    #[inline(always)]
    fn number(self) -> f32 {
        self
    }
}

impl Element for bf16 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(p: *const bf16) -> L {
        // SAFETY: as promised.
        unsafe { L::load_bf16(p) }
    }
    #[inline(always)]
    unsafe fn load_part<L: Lanes>(p: *const bf16, n: usize) -> L {
        // No register has more than sixteen.
        let mut whole = [bf16::ZERO; 16];
        // SAFETY: as promised; the copy has a whole register.
        unsafe {
            std::ptr::copy_nonoverlapping(p, whole.as_mut_ptr(), n);
            L::load_bf16(whole.as_ptr())
        }
    }
    #[inline(always)]
    fn number(self) -> f32 {
        self.to_f32()
    }
}

impl Lanes for [f32; 8] {
    const WIDTH: usize = 8;
    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller promises WIDTH readable elements.
        unsafe { p.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        // SAFETY: the caller promises n readable elements.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const bf16) -> Self {
        // SAFETY: the caller promises WIDTH readable elements.
        std::array::from_fn(|i| unsafe { (*p.add(i)).to_f32() })
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| self[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        [v; 8]
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller promises WIDTH writable elements.
        unsafe { p.cast::<[f32; 8]>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        for (i, v) in self.into_iter().enumerate().take(n) {
            // SAFETY: the caller promises n writable elements.
            unsafe { p.add(i).write(v) }
        }
    }
    #[inline(always)]
    unsafe fn sums(v: [Self; 4]) -> [f32; 4] {
        v.map(|v| ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use half::bf16;

    use super::Lanes;

    /// Sums of four 128-bit registers, one a lane.
    #[inline(always)]
    unsafe fn transpose_add(v: [__m128; 4]) -> [f32; 4] {
        // SAFETY: SSE is part of x86-64; the transmute is between 16-byte plain-data types.
        unsafe {
            let a = _mm_add_ps(_mm_unpacklo_ps(v[0], v[1]), _mm_unpackhi_ps(v[0], v[1]));
            let b = _mm_add_ps(_mm_unpacklo_ps(v[2], v[3]), _mm_unpackhi_ps(v[2], v[3]));
            let sum = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
            std::mem::transmute::<__m128, [f32; 4]>(sum)
        }
    }

    impl Lanes for __m256 {
        const WIDTH: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: AVX is there (trait contract).
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            // SAFETY: eight readable elements (trait contract).
            unsafe { _mm256_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            // SAFETY: n readable elements (trait contract); the mask keeps the load off the others.
            unsafe {
                let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), index))
            }
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const bf16) -> Self {
            // SAFETY: eight readable elements (trait contract); a bf16 is the upper half of an f32.
            unsafe {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            // SAFETY: FMA is there (trait contract).
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: AVX is there (trait contract).
            unsafe { _mm256_set1_ps(v) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            // SAFETY: eight writable elements (trait contract).
            unsafe { _mm256_storeu_ps(p, self) }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            // SAFETY: n writable elements (trait contract); the mask keeps the store off the others.
            unsafe {
                let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), index), self);
            }
        }
        #[inline(always)]
        unsafe fn sums(v: [Self; 4]) -> [f32; 4] {
            // SAFETY: AVX is there (trait contract).
            unsafe {
                transpose_add(v.map(|v| _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v))))
            }
        }
        #[inline(always)]
        fn prefetch(p: *const f32) {
            // SAFETY: a prefetch of any address is harmless, and SSE is part of x86-64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
    }

    impl Lanes for __m512 {
        const WIDTH: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: AVX-512 is there (trait contract).
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            // SAFETY: sixteen readable elements (trait contract).
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            // SAFETY: n readable elements (trait contract); masked elements are not touched.
            unsafe { _mm512_maskz_loadu_ps((1u16 << n) - 1, p) }
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const bf16) -> Self {
            // SAFETY: sixteen readable elements (trait contract); a bf16 is the upper half of an f32.
            unsafe {
                let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
            }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            // SAFETY: AVX-512 is there (trait contract).
            unsafe { _mm512_fmadd_ps(self, b, c) }
        }
        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: AVX-512 is there (trait contract).
            unsafe { _mm512_set1_ps(v) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            // SAFETY: sixteen writable elements (trait contract).
            unsafe { _mm512_storeu_ps(p, self) }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            // SAFETY: n writable elements (trait contract); masked elements are not touched.
            unsafe { _mm512_mask_storeu_ps(p, (1u16 << n) - 1, self) }
        }
        #[inline(always)]
        unsafe fn sums(v: [Self; 4]) -> [f32; 4] {
            // SAFETY: AVX-512 is there (trait contract).
            unsafe {
                // Add within 128-bit lanes first: one register then holds all four sums, a quarter per lane.
                let a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
                let b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
                let c = _mm512_add_ps(_mm512_shuffle_ps::<0x44>(a, b), _mm512_shuffle_ps::<0xee>(a, b));
                let d = _mm256_add_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps::<1>(c));
                let e = _mm_add_ps(_mm256_castps256_ps128(d), _mm256_extractf128_ps::<1>(d));
                std::mem::transmute::<__m128, [f32; 4]>(e)
            }
        }
        #[inline(always)]
        fn prefetch(p: *const f32) {
            // SAFETY: a prefetch of any address is harmless, and SSE is part of x86-64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
    }
}
