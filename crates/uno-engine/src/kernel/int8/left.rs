//! The left factor of an 8-bit product: activations rounded as they come.

use std::cell::RefCell;

use super::GROUP;
use crate::kernel::matrix::Mat;
use crate::kernel::parallel::rows_per_task;
use crate::kernel::team::each;

/// Rows of activations in 8 bits.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// [rows, groups * GROUP], zeros after the last number of a row.
    pub(super) bytes: Vec<i8>,
    /// [rows, groups].
    pub(super) groups: Vec<LeftGroup>,
}

/// What a group of a row needs beside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftGroup {
    pub(super) scale: f32,
    /// Minus 128 times the sum of the bytes: takes back what the weights were raised by.
    pub(super) correction: i32,
}

thread_local! {
    /// Kept, because fresh pages cost as much as a small product.
    static LEFT: RefCell<Left> = RefCell::default();
}

impl Left {
    /// Rounds `x` and runs `f` on it; `alone` keeps the work on this thread.
    pub(super) fn with(x: Mat<'_>, alone: bool, f: impl FnOnce(&Left)) {
        // Taken, not borrowed: a thread that waits for the others inside may be given another product meanwhile.
        let mut left = LEFT.take();
        let groups = x.cols.div_ceil(GROUP).max(1);
        if left.groups.len() < x.rows * groups {
            left.bytes.resize(x.rows * groups * GROUP, 0);
            left.groups.resize(x.rows * groups, LeftGroup::default());
        }
        let (width, rows) = (groups * GROUP, x.rows);
        let task = if alone { rows } else { rows_per_task(rows) };
        let fill = |(i, (bytes, parts)): (usize, (&mut [i8], &mut [LeftGroup]))| {
            let each = bytes.chunks_exact_mut(width).zip(parts.chunks_exact_mut(groups));
            for (row, (bytes, parts)) in each.enumerate() {
                round_row(x.line((i * task + row) * x.row_stride, x.cols), bytes, parts);
            }
        };
        let (bytes, parts) = (&mut left.bytes[..rows * width], &mut left.groups[..rows * groups]);
        if task >= rows {
            fill((0, (bytes, parts)));
        } else {
            each(bytes.chunks_mut(task * width).zip(parts.chunks_mut(task * groups)).enumerate(), fill);
        }
        f(&left);
        LEFT.set(left);
    }
}

/// One row, group by group.
fn round_row(x: &[f32], bytes: &mut [i8], groups: &mut [LeftGroup]) {
    for ((x, bytes), group) in x.chunks(GROUP).zip(bytes.chunks_exact_mut(GROUP)).zip(groups) {
        *group = round_group(x, bytes);
    }
}

#[cfg(target_arch = "x86_64")]
fn round_group(x: &[f32], bytes: &mut [i8]) -> LeftGroup {
    // SAFETY: `product` has checked the instruction set.
    unsafe { super::x86::round_group(x, bytes) }
}

#[cfg(not(target_arch = "x86_64"))]
fn round_group(_x: &[f32], _bytes: &mut [i8]) -> LeftGroup {
    LeftGroup::default()
}
