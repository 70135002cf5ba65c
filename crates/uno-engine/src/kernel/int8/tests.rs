use super::*;
use crate::kernel::testing::noise;

fn packed(w: &[f32], n: usize, k: usize) -> Packed {
    Packed::of_transpose(Mat::dense(w, n, k))
}

/// The product of factors rounded in f64, group by group.
fn expected(x: &[f32], w: &[f32]) -> f64 {
    let rounded = |v: &[f32]| -> (Vec<f64>, f64) {
        let max = v.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        (
            v.iter().map(|v| f64::from((v * inverse_of(max)).round_ties_even())).collect(),
            f64::from(scale_of(max)),
        )
    };
    x.chunks(GROUP)
        .zip(w.chunks(GROUP))
        .map(|(x, w)| {
            let ((x, xs), (w, ws)) = (rounded(x), rounded(w));
            x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() * xs * ws
        })
        .sum()
}

/// Shapes that leave remainders everywhere, set and added, in strided rows, with one thread and all.
#[test]
fn products_of_rounded_factors_are_exact_but_for_the_sum() {
    if !available() {
        eprintln!("SKIPPED: no AVX512-VNNI here");
        return;
    }
    for (m, n, k) in [(1, 1, 1), (6, 32, 64), (7, 33, 65), (5, 70, 130), (13, 100, 700), (64, 40, 192)] {
        let (x, w) = (noise(m * (k + 3), 1), noise(n * k, 2));
        let weight = packed(&w, n, k);
        for (into, threads) in [(Into::Set, Threads::All), (Into::Add, Threads::One)] {
            let stride = n + 5;
            let mut y = vec![if into == Into::Set { f32::NAN } else { 1.0 }; m * stride];
            let view = MatMut::strided(&mut y, m, n, stride);
            product(view, into, Mat::strided(&x, m, k, k + 3), &weight, 0.5, threads);
            for r in 0..m {
                for c in 0..n {
                    let sum = expected(&x[r * (k + 3)..][..k], &w[c * k..][..k]);
                    let want = 0.5 * sum + if into == Into::Add { 1.0 } else { 0.0 };
                    let error = (f64::from(y[r * stride + c]) - want).abs();
                    assert!(error < 1e-6 * (k as f64).sqrt() + 1e-6, "{m}x{n}x{k}: {error}");
                }
            }
        }
    }
}

/// What a sequence gets must not depend on its batch mates.
#[test]
fn a_row_is_the_same_alone_and_among_others() {
    if !available() {
        eprintln!("SKIPPED: no AVX512-VNNI here");
        return;
    }
    let (m, n, k) = (23, 50, 200);
    let (x, w) = (noise(m * k, 3), noise(n * k, 4));
    let weight = packed(&w, n, k);
    let mut all = vec![0.0; m * n];
    product(MatMut::dense(&mut all, m, n), Into::Set, Mat::dense(&x, m, k), &weight, 1.0, Threads::All);
    for r in 0..m {
        let mut one = vec![0.0; n];
        let row = Mat::dense(&x[r * k..], 1, k);
        product(MatMut::dense(&mut one, 1, n), Into::Set, row, &weight, 1.0, Threads::One);
        assert_eq!(one, all[r * n..(r + 1) * n]);
    }
}

/// Zeros, subnormals and numbers that are none neither panic nor pass for results.
#[test]
fn odd_numbers_do_not_pass_for_results() {
    if !available() {
        eprintln!("SKIPPED: no AVX512-VNNI here");
        return;
    }
    let weight = packed(&[1.0; 64], 1, 64);
    for (value, check) in [
        (0.0, (|y| y == 0.0) as fn(f32) -> bool),
        (1e-42, |y| y == 0.0),
        (f32::NAN, |y| !y.is_finite()),
        (f32::INFINITY, |y| !y.is_finite()),
    ] {
        let mut x = [0.0; 64];
        x[7] = value;
        let mut y = [5.0];
        let view = MatMut::dense(&mut y, 1, 1);
        product(view, Into::Set, Mat::dense(&x, 1, 64), &weight, 1.0, Threads::All);
        assert!(check(y[0]), "{value} gave {}", y[0]);
    }
}
