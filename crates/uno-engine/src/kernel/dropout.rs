//! Dropout by a counter: whether an element is kept depends on the seed, the layer, the module and the element's index
//! only, so that the backward pass and any number of threads see the same mask and nothing is stored.

use super::team::each;

use super::level::simd_fn;

/// Dropout of the input of the LoRA A product, as PEFT's `lora_dropout`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of elements set to zero, in [0, 1); the rest is divided by `1 - p`.
    pub p: f32,
    /// Give each pass its own seed.
    pub seed: u64,
}

/// The mask of one module in one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask {
    key: u32,
    threshold: u32,
    scale: f32,
}

/// Integer mixing with low bias (Wellons, "Prospecting for hash functions", lowbias32).
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

impl Dropout {
    /// The mask of a module (any number that tells modules of a layer apart).
    pub(crate) fn mask(&self, layer: usize, module: usize) -> Mask {
        let (low, high) = (self.seed as u32, (self.seed >> 32) as u32);
        let key = mix(mix(mix(low) ^ high) ^ mix(layer as u32 * 64 + module as u32 + 1));
        Mask { key, threshold: (f64::from(self.p) * 4_294_967_296.0) as u32, scale: 1.0 / (1.0 - self.p) }
    }
}

simd_fn! {
    fn masked(x: &[f32], first: u32, key: u32, threshold: u32, scale: f32, out: &mut [f32]) {
        let n = out.len();
        let x = &x[..n];
        for i in 0..n {
            let keep = mix(first.wrapping_add(i as u32) ^ key) >= threshold;
            out[i] = if keep { x[i] * scale } else { 0.0 };
        }
    }
}

simd_fn! {
    fn masked_add(x: &[f32], first: u32, key: u32, threshold: u32, scale: f32, out: &mut [f32]) {
        let n = out.len();
        let x = &x[..n];
        for i in 0..n {
            let keep = mix(first.wrapping_add(i as u32) ^ key) >= threshold;
            out[i] += if keep { x[i] * scale } else { 0.0 };
        }
    }
}

const BLOCK: usize = 1 << 14;

impl Mask {
    /// `out = mask(x)`.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) {
        each(x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)).enumerate(), |(i, (x, out))| {
            masked(x, (i * BLOCK) as u32, self.key, self.threshold, self.scale, out);
        });
    }

    /// `out += mask(x)`: the backward of [`Mask::apply`].
    pub(crate) fn apply_add(&self, x: &[f32], out: &mut [f32]) {
        each(x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)).enumerate(), |(i, (x, out))| {
            masked_add(x, (i * BLOCK) as u32, self.key, self.threshold, self.scale, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Dropout;

    #[test]
    fn keeps_the_stated_share_and_differs_by_module() {
        let dropout = Dropout { p: 0.05, seed: 7 };
        let x = vec![1.0f32; 200_000];
        let mut masks = Vec::new();
        for module in 0..3 {
            let mut out = vec![0.0; x.len()];
            dropout.mask(1, module).apply(&x, &mut out);
            let dropped = out.iter().filter(|v| **v == 0.0).count() as f64 / x.len() as f64;
            assert!((dropped - 0.05).abs() < 0.003, "{dropped}");
            masks.push(out);
        }
        let both = masks[0].iter().zip(&masks[1]).filter(|(a, b)| **a == 0.0 && **b == 0.0).count() as f64;
        assert!((both / x.len() as f64 - 0.0025).abs() < 0.001);
    }
}
