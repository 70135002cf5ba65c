//! K-quants: super-blocks of 256 numbers whose sub-blocks have quantised scales of their own.

use super::scale;

/// Sub-block `j`'s scale and minimum, 6 bits each, of the 12 bytes that Q4_K and Q5_K share (`get_scale_min_k4`).
fn scale_and_min(j: usize, packed: &[u8]) -> (f32, f32) {
    let (s, m) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(s), f32::from(m))
}

/// scale f16, minimum scale f16, 12 bytes of sub-scales, 128 bytes of nibbles.
pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (scale(block, 0), scale(block, 2));
    let (scales, nibbles) = (&block[4..16], &block[16..]);
    // 64 numbers share 32 bytes: low nibbles are the first sub-block, high nibbles the second.
    for (pair, (out, nibbles)) in
        out.as_chunks_mut::<64>().0.iter_mut().zip(nibbles.as_chunks::<32>().0).enumerate()
    {
        let (s1, m1) = scale_and_min(2 * pair, scales);
        let (s2, m2) = scale_and_min(2 * pair + 1, scales);
        let (low, high) = out.split_at_mut(32);
        for ((&q, low), high) in nibbles.iter().zip(low).zip(high) {
            *low = d * s1 * f32::from(q & 15) - dmin * m1;
            *high = d * s2 * f32::from(q >> 4) - dmin * m2;
        }
    }
}

/// scale f16, minimum scale f16, 12 bytes of sub-scales, 32 bytes of fifth bits, 128 bytes of nibbles.
pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (scale(block, 0), scale(block, 2));
    let (scales, fifth, nibbles) = (&block[4..16], &block[16..48], &block[48..]);
    for (pair, (out, nibbles)) in
        out.as_chunks_mut::<64>().0.iter_mut().zip(nibbles.as_chunks::<32>().0).enumerate()
    {
        let (s1, m1) = scale_and_min(2 * pair, scales);
        let (s2, m2) = scale_and_min(2 * pair + 1, scales);
        let (low, high) = out.split_at_mut(32);
        for (((&q, &bits), low), high) in nibbles.iter().zip(fifth).zip(low).zip(high) {
            let bits = bits >> (2 * pair);
            *low = d * s1 * f32::from(q & 15 | (bits & 1) << 4) - dmin * m1;
            *high = d * s2 * f32::from(q >> 4 | (bits >> 1 & 1) << 4) - dmin * m2;
        }
    }
}

/// 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed sub-scales, scale f16: `scale * sub * (q - 32)`.
pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = scale(block, 208);
    for half in 0..2 {
        let (low, high) = (&block[half * 64..][..64], &block[128 + half * 32..][..32]);
        let scales = &block[192 + half * 8..][..8];
        let out = &mut out[half * 128..][..128];
        for l in 0..32 {
            let bits = high[l];
            let number = |nibble: u8, shift: u8, part: usize| {
                let q = i32::from(nibble | (bits >> shift & 3) << 4) - 32;
                d * f32::from(scales[l / 16 + 2 * part] as i8) * q as f32
            };
            out[l] = number(low[l] & 15, 0, 0);
            out[l + 32] = number(low[l + 32] & 15, 2, 1);
            out[l + 64] = number(low[l] >> 4, 4, 2);
            out[l + 96] = number(low[l + 32] >> 4, 6, 3);
        }
    }
}
