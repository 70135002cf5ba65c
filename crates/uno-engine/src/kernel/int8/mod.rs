//! Products of 8-bit weights and 8-bit activations, `y[m, n] (+)= x[m, k] · w[k, n]`, on machines with AVX512-VNNI. A weight
//! takes half the memory of bf16, which is what decoding waits for, and an instruction does twice the multiplications.
//!
//! Both factors are rounded in groups of [`GROUP`] along k, each with a scale of its own, as in GGUF's Q8_0; sums within a
//! group are exact integers, sums of groups are f32. Activations are rounded row by row, so a row's result does not depend
//! on the rows or threads beside it.

mod left;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::matrix::{Mat, MatMut};
use super::parallel::ranges;
use super::product::{Into, Threads};
use super::team::{each, lead};
use left::Left;

/// Numbers along k that share a scale.
pub(crate) const GROUP: usize = 64;

/// Products of four bytes are summed by one instruction.
const QUADS: usize = GROUP / 4;

/// Columns of a panel: two registers.
const PANEL: usize = 32;

/// Cache lines of a group of a panel: two for each quad, then the columns' scales.
const LINES: usize = 2 * QUADS + 2;

/// Sixteen columns: four bytes of each, or a scale of each.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// A packed matrix [k, n].
#[derive(Debug)]
pub(crate) struct Packed {
    k: usize,
    n: usize,
    /// [panels, groups, LINES]; weights are stored plus 128, for the instruction takes unsigned numbers on this side.
    data: Vec<Line>,
}

/// Whether this machine has the instructions.
pub(crate) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *FOUND.get_or_init(|| {
            super::level::level() == super::level::Level::Avx512 && is_x86_feature_detected!("avx512vnni")
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// The scale of a group whose largest absolute value is `max`; NaN when the group has a number that is not finite, so that
/// nothing computed from it can pass for a result.
fn scale_of(max: f32) -> f32 {
    max / 127.0
}

/// What numbers of such a group are multiplied by before they are rounded. Next to nothing counts as zero.
fn inverse_of(max: f32) -> f32 {
    if max > 1e-30 { 127.0 / max } else { 0.0 }
}

impl Packed {
    /// Packs the transpose of a row-major weight [n, k].
    pub(crate) fn of_transpose(w: Mat<'_>) -> Self {
        let (n, k) = (w.rows, w.cols);
        let (panels, groups) = (n.div_ceil(PANEL), k.div_ceil(GROUP));
        let mut data = vec![Line([0; 16]); panels * groups * LINES];
        let fill = |(panel, data): (usize, &mut [Line])| {
            for (group, lines) in data.chunks_exact_mut(LINES).enumerate() {
                for column in 0..PANEL.min(n - panel * PANEL) {
                    let from = group * GROUP;
                    let at = (panel * PANEL + column) * w.row_stride + from;
                    pack_column(lines, column, w.line(at, GROUP.min(k - from)));
                }
            }
        };
        lead(|| each(data.chunks_mut((groups * LINES).max(1)).enumerate(), fill));
        Packed { k, n, data }
    }

    fn groups(&self) -> usize {
        self.k.div_ceil(GROUP)
    }
}

/// Up to [`GROUP`] weights of one column. Missing ones stay zero bytes: the activations beside them are zero.
fn pack_column(lines: &mut [Line], column: usize, weights: &[f32]) {
    let finite = weights.iter().all(|v| v.is_finite());
    let max = if finite { weights.iter().fold(0.0f32, |max, v| max.max(v.abs())) } else { f32::NAN };
    let inverse = inverse_of(max);
    let (half, lane) = (column / 16, column % 16);
    for (quad, four) in weights.chunks(4).enumerate() {
        let mut bytes = [0u8; 4];
        for (byte, v) in bytes.iter_mut().zip(four) {
            *byte = ((v * inverse).round_ties_even() as i32 + 128).clamp(1, 255) as u8;
        }
        lines[2 * quad + half].0[lane] = u32::from_le_bytes(bytes);
    }
    lines[2 * QUADS + half].0[lane] = scale_of(max).to_bits();
}

/// One product; shared by the threads, each of which writes other columns of `y`.
struct Job<'a> {
    left: &'a Left,
    w: &'a Packed,
    y: *mut f32,
    stride: usize,
    rows: usize,
    scale: f32,
    add: bool,
}

// SAFETY: threads read `left` and `w` and write disjoint columns of `y`.
unsafe impl Sync for Job<'_> {}

/// `y (+)= scale · x · w`; rows of `x` have adjacent elements. Only where [`available`].
pub(crate) fn product(mut y: MatMut<'_>, into: Into, x: Mat<'_>, w: &Packed, scale: f32, threads: Threads) {
    assert!(x.cols == w.k && y.cols == w.n && y.rows == x.rows && x.col_stride == 1);
    assert!(available(), "this machine has no 8-bit products");
    if y.rows == 0 || w.n == 0 {
        return;
    }
    let alone = threads.alone(x.rows * w.k * w.n);
    Left::with(x, alone, |left| {
        let job =
            Job { left, w, y: y.as_mut_ptr(), stride: y.stride, rows: y.rows, scale, add: into == Into::Add };
        let panels = |from: usize, to: usize| {
            for panel in from..to {
                run_panel(&job, panel);
            }
        };
        if alone {
            panels(0, w.n.div_ceil(PANEL));
        } else {
            ranges(w.n.div_ceil(PANEL), 1, &panels);
        }
    });
}

#[cfg(target_arch = "x86_64")]
fn run_panel(job: &Job<'_>, panel: usize) {
    // SAFETY: `product` has checked the instruction set and the shapes.
    unsafe { x86::run_panel(job, panel) }
}

#[cfg(not(target_arch = "x86_64"))]
fn run_panel(_job: &Job<'_>, _panel: usize) {}

#[cfg(test)]
mod tests;
