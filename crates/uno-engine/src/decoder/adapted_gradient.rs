//! Gradients of an adapter's factors in bf16: products of two activations, whose sums are f32.

use std::cell::RefCell;

use crate::kernel::bf16::{Packed, product};
use crate::kernel::matrix::{Mat, MatMut, add_transposed, transpose};
use crate::kernel::product::{Into, Threads};

/// Kept between products: fresh pages cost as much as a thin product.
#[derive(Default)]
struct Scratch {
    right: Packed,
    left: Vec<f32>,
    turned: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn with(f: impl FnOnce(&mut Scratch)) {
    // Taken, not borrowed: see `kernel::bf16::product`.
    let mut scratch = SCRATCH.take();
    f(&mut scratch);
    SCRATCH.set(scratch);
}

/// `grad` [rank, in] += duᵀ · x, for `du` [n, rank] and `x` [n, in].
pub(super) fn of_a(grad: MatMut<'_>, du: Mat<'_>, x: Mat<'_>) {
    with(|scratch| {
        scratch.right.fill(x);
        let left = transpose(du, &mut scratch.left);
        product(grad, Into::Add, left, &scratch.right, 1.0, Threads::All);
    });
}

/// `grad` [out, rank] += scale · dyᵀ · u, for `dy` [n, out] and `u` [n, rank].
pub(super) fn of_b(grad: MatMut<'_>, dy: Mat<'_>, u: Mat<'_>, scale: f32) {
    // As its transpose uᵀ · dy: the thin factor is the one to turn.
    with(|scratch| {
        scratch.right.fill(dy);
        let left = transpose(u, &mut scratch.left);
        let (rank, out) = (u.cols, dy.cols);
        if scratch.turned.len() < rank * out {
            scratch.turned.resize(rank * out, 0.0);
        }
        let turned = &mut scratch.turned[..rank * out];
        product(MatMut::dense(turned, rank, out), Into::Set, left, &scratch.right, scale, Threads::All);
        add_transposed(grad, Mat::dense(turned, rank, out));
    });
}
