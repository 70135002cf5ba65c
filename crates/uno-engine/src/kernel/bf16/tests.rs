use super::*;
use crate::kernel::testing::noise;

/// Equal to f64 products of the rounded factors, for shapes that leave remainders everywhere and several blocks of k.
#[test]
fn products_of_rounded_factors_are_exact_but_for_the_sum() {
    if !available() {
        eprintln!("SKIPPED: no AVX512-BF16 here");
        return;
    }
    let rounded = |v: f32| f64::from(half::bf16::from_f32(v).to_f32());
    for (m, n, k) in [(1, 1, 1), (6, 64, 32), (7, 65, 33), (5, 130, 100), (13, 70, 4 * BLOCK + 3)] {
        let (x, w) = (noise(m * k, 1), noise(k * n, 2));
        let packed = Packed::of(Mat::dense(&w, k, n));
        let mut y = vec![f32::NAN; m * n];
        product(MatMut::dense(&mut y, m, n), Into::Set, Mat::dense(&x, m, k), &packed, 0.5, Threads::All);
        for r in 0..m {
            for c in 0..n {
                let sum: f64 = (0..k).map(|t| rounded(x[r * k + t]) * rounded(w[t * n + c])).sum();
                let error = (f64::from(y[r * n + c]) - 0.5 * sum).abs();
                assert!(error < 1e-5 * (k as f64).sqrt() + 1e-6, "{m}x{n}x{k}: {error}");
            }
        }
    }
}
