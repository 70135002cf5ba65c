//! GGML's block formats again, written for clarity: every number from the bit positions that `ggml-common.h` describes.

use half::f16;

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Bit `i` of a run of bytes.
fn bit(bytes: &[u8], i: usize) -> u32 {
    u32::from(bytes[i / 8] >> (i % 8) & 1)
}

/// Number `j` of a block's nibbles: the low ones of all bytes first, then the high ones.
fn nibble(bytes: &[u8], j: usize) -> u32 {
    let half = bytes.len();
    u32::from(if j < half { bytes[j] & 15 } else { bytes[j - half] >> 4 })
}

/// 6-bit scale and minimum of sub-block `j` of Q4_K and Q5_K.
fn sub(packed: &[u8], j: usize) -> (f32, f32) {
    let p = |i: usize| u32::from(packed[i]);
    let (scale, minimum) = match j {
        0..4 => (p(j) % 64, p(j + 4) % 64),
        _ => (p(j + 4) % 16 + p(j - 4) / 64 * 16, p(j + 4) / 16 + p(j) / 64 * 16),
    };
    (scale as f32, minimum as f32)
}

/// Code, block length, block bytes, and the value of number `i` of a block.
pub type Format = (&'static str, u32, usize, usize, fn(&[u8], usize) -> f32);

/// All quantised formats.
pub const FORMATS: [Format; 8] = [
    ("Q4_0", 2, 32, 18, |b, i| half(b, 0) * (nibble(&b[2..], i) as f32 - 8.0)),
    ("Q4_1", 3, 32, 20, |b, i| half(b, 0) * nibble(&b[4..], i) as f32 + half(b, 2)),
    ("Q5_0", 6, 32, 22, |b, i| half(b, 0) * ((nibble(&b[6..], i) + 16 * bit(&b[2..6], i)) as f32 - 16.0)),
    ("Q5_1", 7, 32, 24, |b, i| half(b, 0) * (nibble(&b[8..], i) + 16 * bit(&b[4..8], i)) as f32 + half(b, 2)),
    ("Q8_0", 8, 32, 34, |b, i| half(b, 0) * f32::from(b[2 + i] as i8)),
    ("Q4_K", 12, 256, 144, |b, i| {
        let (scale, minimum) = sub(&b[4..16], i / 32);
        let q = nibble(&b[16 + i / 64 * 32..][..32], i % 64);
        half(b, 0) * scale * q as f32 - half(b, 2) * minimum
    }),
    ("Q5_K", 13, 256, 176, |b, i| {
        let (scale, minimum) = sub(&b[4..16], i / 32);
        // Byte i % 32 of the fifth bits holds, at bit i / 32, that of number i.
        let fifth = u32::from(b[16 + i % 32] >> (i / 32) & 1);
        let q = nibble(&b[48 + i / 64 * 32..][..32], i % 64) + 16 * fifth;
        half(b, 0) * scale * q as f32 - half(b, 2) * minimum
    }),
    ("Q6_K", 14, 256, 210, |b, i| {
        let (side, within) = (i / 128, i % 128);
        let (quarter, l) = (within / 32, within % 32);
        let low = b[side * 64 + within % 64];
        let low = if quarter < 2 { low & 15 } else { low >> 4 };
        let high = b[128 + side * 32 + l] >> (2 * quarter) & 3;
        let scale = b[192 + side * 8 + within / 16] as i8;
        half(b, 208) * f32::from(scale) * (f32::from(low) + 16.0 * f32::from(high) - 32.0)
    }),
];
