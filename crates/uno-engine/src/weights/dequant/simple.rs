//! Formats with blocks of 32: a scale (and, in the `_1` formats, a minimum) and 4, 5 or 8 bits per number. Number `j` of
//! the first half shares its byte with number `j + 16`.

use super::scale;

/// scale f16, 16 bytes of nibbles: `scale * (q - 8)`.
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = scale(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((&q, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = d * (i32::from(q & 15) - 8) as f32;
        *high = d * (i32::from(q >> 4) - 8) as f32;
    }
}

/// scale f16, minimum f16, 16 bytes of nibbles: `scale * q + minimum`.
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    let (low, high) = out.split_at_mut(16);
    for ((&q, low), high) in block[4..].iter().zip(low).zip(high) {
        *low = d * f32::from(q & 15) + m;
        *high = d * f32::from(q >> 4) + m;
    }
}

/// scale f16, 32 fifth bits, 16 bytes of nibbles: `scale * (q - 16)`.
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = scale(block, 0);
    let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    five_bits(fifth, &block[6..], out, |q| d * (q - 16) as f32);
}

/// scale f16, minimum f16, 32 fifth bits, 16 bytes of nibbles: `scale * q + minimum`.
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    let fifth = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    five_bits(fifth, &block[8..], out, |q| d * q as f32 + m);
}

fn five_bits(fifth: u32, nibbles: &[u8], out: &mut [f32; 32], convert: impl Fn(i32) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for (j, ((&q, low), high)) in nibbles.iter().zip(low).zip(high).enumerate() {
        let bit = |at: usize| ((fifth >> at & 1) << 4) as i32;
        *low = convert(i32::from(q & 15) | bit(j));
        *high = convert(i32::from(q >> 4) | bit(j + 16));
    }
}

/// scale f16, 32 signed bytes: `scale * q`.
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = scale(block, 0);
    for (&q, out) in block[2..].iter().zip(out) {
        *out = d * f32::from(q as i8);
    }
}
