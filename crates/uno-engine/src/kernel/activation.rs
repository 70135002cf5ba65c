//! The gated feed-forward activation, silu(gate) * up (SwiGLU, Shazeer 2020), and adding of residuals.

use super::exp::exp;
use super::level::simd_fn;
use super::parallel::rows_per_task;
use super::team::each;

simd_fn! {
    fn forward_row(gate: &[f32], up: &[f32], out: &mut [f32]) {
        let n = out.len();
        let (gate, up) = (&gate[..n], &up[..n]);
        for i in 0..n {
            out[i] = gate[i] / (1.0 + exp::<FMA>(-gate[i])) * up[i];
        }
    }
}

simd_fn! {
    fn backward_row(gate: &[f32], up: &[f32], d: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
        let n = d.len();
        let (gate, up, d_gate, d_up) = (&gate[..n], &up[..n], &mut d_gate[..n], &mut d_up[..n]);
        for i in 0..n {
            let s = 1.0 / (1.0 + exp::<FMA>(-gate[i]));
            d_up[i] = d[i] * gate[i] * s;
            d_gate[i] = d[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
        }
    }
}

/// `out` [n, width] = silu(gate) * up, where each row of `gate_up` is gate | up.
pub(crate) fn swiglu(gate_up: &[f32], width: usize, out: &mut [f32]) {
    let task = rows_per_task(out.len() / width);
    let block = |gate_up: &[f32], out: &mut [f32]| {
        for (gu, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
            let (gate, up) = gu.split_at(width);
            forward_row(gate, up, out);
        }
    };
    if task * width >= out.len() {
        block(gate_up, out);
    } else {
        let parts = gate_up.chunks(task * 2 * width).zip(out.chunks_mut(task * width));
        each(parts, |(gu, out)| block(gu, out));
    }
}

/// Gradient of gate | up from that of the activation.
pub(crate) fn swiglu_backward(gate_up: &[f32], width: usize, d: &[f32], d_gate_up: &mut [f32]) {
    let task = rows_per_task(d.len() / width);
    let parts = gate_up
        .chunks(task * 2 * width)
        .zip(d.chunks(task * width))
        .zip(d_gate_up.chunks_mut(task * 2 * width));
    each(parts, |((gu, d), out)| {
        for ((gu, d), out) in
            gu.chunks_exact(2 * width).zip(d.chunks_exact(width)).zip(out.chunks_exact_mut(2 * width))
        {
            let (gate, up) = gu.split_at(width);
            let (d_gate, d_up) = out.split_at_mut(width);
            backward_row(gate, up, d, d_gate, d_up);
        }
    });
}

simd_fn! {
    /// `x += y`.
    pub(crate) fn add(x: &mut [f32], y: &[f32]) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += *y;
        }
    }
}

/// Adds `bias` to the first elements of each row.
pub(crate) fn add_bias(x: &mut [f32], stride: usize, bias: &[f32]) {
    for row in x.chunks_exact_mut(stride) {
        add(&mut row[..bias.len()], bias);
    }
}
