//! Weights in 4, 8 or 16 bits beside their f32 form. Decoding is bound by the reading of weights; expanded a few rows at a
//! time into a core's first-level cache they give exactly the f32 numbers, and so the same results, in a fraction of the
//! time.

use super::level::{fma, simd_fn};

/// Numbers that share a scale.
const BLOCK: usize = 32;

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `scale * q + minimum`, q in 4 bits; the first half of a block in the low nibbles (ggml's Q4_0 and Q4_1).
    Nibbles,
    /// `scale * q`, q a signed byte (ggml's Q8_0).
    Bytes,
    /// The upper half of the f32.
    Bf16,
}

/// A row-major matrix [rows, cols] whose rows expand to exactly the f32 matrix it was made beside.
#[derive(Debug)]
pub(crate) struct Compact {
    kind: Kind,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Nibbles: 16 bytes a block. Bytes: 32. Bf16: two a number.
    numbers: Vec<u8>,
    /// Nibbles: scale and minimum of each block. Bytes: the scale.
    scales: Vec<f32>,
}

fn f16(bytes: &[u8]) -> f32 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

impl Compact {
    fn new(kind: Kind, cols: usize) -> Self {
        Compact { kind, rows: 0, cols, numbers: Vec::new(), scales: Vec::new() }
    }

    /// From ggml's Q4_0 blocks (scale f16, 16 bytes of nibbles): `scale * (q - 8)`.
    pub(crate) fn q4_0(blocks: &[u8], cols: usize) -> Self {
        let mut it = Compact::new(Kind::Nibbles, cols);
        for block in blocks.chunks_exact(18) {
            it.scales.extend([f16(block), -8.0 * f16(block)]);
            it.numbers.extend_from_slice(&block[2..]);
        }
        it.counted()
    }

    /// From ggml's Q4_1 blocks (scale and minimum f16, 16 bytes of nibbles).
    pub(crate) fn q4_1(blocks: &[u8], cols: usize) -> Self {
        let mut it = Compact::new(Kind::Nibbles, cols);
        for block in blocks.chunks_exact(20) {
            it.scales.extend([f16(block), f16(&block[2..])]);
            it.numbers.extend_from_slice(&block[4..]);
        }
        it.counted()
    }

    /// From ggml's Q8_0 blocks (scale f16, 32 signed bytes).
    pub(crate) fn q8_0(blocks: &[u8], cols: usize) -> Self {
        let mut it = Compact::new(Kind::Bytes, cols);
        for block in blocks.chunks_exact(34) {
            it.scales.push(f16(block));
            it.numbers.extend_from_slice(&block[2..]);
        }
        it.counted()
    }

    /// The upper halves of f32 numbers, if nothing is lost: models are mostly published in bf16.
    pub(crate) fn bf16(values: &[f32], cols: usize) -> Option<Self> {
        if values.iter().any(|v| v.to_bits() & 0xffff != 0) {
            return None;
        }
        let mut it = Compact::new(Kind::Bf16, cols);
        it.numbers = values.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect();
        Some(it.counted())
    }

    fn counted(mut self) -> Self {
        self.rows = self.numbers.len() / self.row_bytes();
        self
    }

    fn row_bytes(&self) -> usize {
        match self.kind {
            Kind::Nibbles => self.cols / 2,
            Kind::Bytes => self.cols,
            Kind::Bf16 => self.cols * 2,
        }
    }

    /// Puts the rows of `below` under these; `None` when they are stored otherwise.
    pub(crate) fn join(mut self, below: Compact) -> Option<Self> {
        if self.kind != below.kind || self.cols != below.cols {
            return None;
        }
        self.numbers.extend_from_slice(&below.numbers);
        self.scales.extend_from_slice(&below.scales);
        Some(self.counted())
    }

    /// Rows `from..to` as f32 into `out` [to - from, cols].
    pub(crate) fn expand(&self, from: usize, to: usize, out: &mut [f32]) {
        let (bytes, blocks) = (self.row_bytes(), self.cols / BLOCK);
        let numbers = &self.numbers[from * bytes..to * bytes];
        match self.kind {
            Kind::Nibbles => expand_nibbles(numbers, &self.scales[from * blocks * 2..to * blocks * 2], out),
            Kind::Bytes => expand_bytes(numbers, &self.scales[from * blocks..to * blocks], out),
            Kind::Bf16 => expand_bf16(numbers, out),
        }
    }
}

simd_fn! {
    fn expand_nibbles(numbers: &[u8], scales: &[f32], out: &mut [f32]) {
        let blocks = numbers.as_chunks::<16>().0.iter().zip(scales.as_chunks::<2>().0);
        for ((numbers, [scale, minimum]), out) in blocks.zip(out.as_chunks_mut::<BLOCK>().0) {
            for i in 0..16 {
                // Exact either way: 11 bits of scale times 4 bits fit an f32.
                out[i] = fma::<FMA>(f32::from(numbers[i] & 15), *scale, *minimum);
            }
            for i in 0..16 {
                out[16 + i] = fma::<FMA>(f32::from(numbers[i] >> 4), *scale, *minimum);
            }
        }
    }
}

simd_fn! {
    fn expand_bytes(numbers: &[u8], scales: &[f32], out: &mut [f32]) {
        let blocks = numbers.as_chunks::<BLOCK>().0.iter().zip(scales);
        for ((numbers, scale), out) in blocks.zip(out.as_chunks_mut::<BLOCK>().0) {
            for i in 0..BLOCK {
                out[i] = f32::from(numbers[i] as i8) * scale;
            }
        }
    }
}

simd_fn! {
    fn expand_bf16(numbers: &[u8], out: &mut [f32]) {
        for (bytes, out) in numbers.as_chunks::<2>().0.iter().zip(out) {
            *out = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Compact;
    use crate::kernel::matrix::{Mat, MatMut};
    use crate::kernel::product::{How, Into, linear, linear_compact};
    use crate::weights::dequant::{TensorType, dequantise};

    const ROWS: usize = 11;
    const COLS: usize = 96;

    fn blocks(block_bytes: usize, scales: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..ROWS * COLS / 32 * block_bytes).map(|i| (i * 131 + i / 7) as u8).collect();
        for (i, block) in bytes.chunks_exact_mut(block_bytes).enumerate() {
            for s in 0..scales {
                let scale = half::f16::from_f32(0.013 * (i as f32 + 1.0) - 0.2 * s as f32);
                block[2 * s..2 * s + 2].copy_from_slice(&scale.to_le_bytes());
            }
        }
        bytes
    }

    /// Each compact form expands to the dequantised numbers, and products with it have the same bits.
    #[test]
    fn compact_weights_are_exactly_the_f32_weights() {
        let (q4_0, q4_1, q8_0) = (blocks(18, 1), blocks(20, 2), blocks(34, 1));
        let halves: Vec<f32> =
            (0..ROWS * COLS).map(|i| half::bf16::from_f32(i as f32 * 0.37 - 9.0).to_f32()).collect();
        let forms = [
            (Compact::q4_0(&q4_0, COLS), dequantise(TensorType::Q4_0, &q4_0)),
            (Compact::q4_1(&q4_1, COLS), dequantise(TensorType::Q4_1, &q4_1)),
            (Compact::q8_0(&q8_0, COLS), dequantise(TensorType::Q8_0, &q8_0)),
            (Compact::bf16(&halves, COLS).unwrap(), halves),
        ];
        for (compact, values) in forms {
            assert_eq!(compact.rows, ROWS);
            let mut out = vec![0.0; 3 * COLS];
            compact.expand(2, 5, &mut out);
            assert_eq!(out, values[2 * COLS..5 * COLS]);
            for m in [1, 7, 40] {
                let x: Vec<f32> = (0..m * COLS).map(|i| (i % 23) as f32 * 0.1 - 1.0).collect();
                let (mut a, mut b) = (vec![0.0; m * ROWS], vec![0.0; m * ROWS]);
                let (x, w) = (Mat::dense(&x, m, COLS), Mat::dense(&values, ROWS, COLS));
                linear(MatMut::dense(&mut a, m, ROWS), Into::Set, x, w, 1.0, How::FIXED);
                linear_compact(MatMut::dense(&mut b, m, ROWS), x, w, Some(&compact), How::FIXED);
                assert_eq!(a, b);
            }
        }
        assert!(Compact::bf16(&[0.1; 4], 4).is_none());
    }

    #[test]
    fn only_rows_of_the_same_kind_are_joined() {
        let (a, b) = (blocks(20, 2), blocks(34, 1));
        let joined = Compact::q4_1(&a, COLS).join(Compact::q4_1(&a, COLS)).unwrap();
        assert_eq!(joined.rows, 2 * ROWS);
        assert!(Compact::q4_1(&a, COLS).join(Compact::q8_0(&b, COLS)).is_none());
    }
}
