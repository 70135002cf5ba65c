//! Query-and-feedback dual features (METHOD §3): what a record asks and what it teaches, in one vector.

use crate::LearnError;

/// Scales `vector` to Euclidean length 1 in place. A zero vector stays zero, as scikit-learn's `normalize` leaves it.
pub fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if norm > 0.0 {
        for x in vector {
            *x = (f64::from(*x) / norm) as f32;
        }
    }
}

/// A copy of `vector` with Euclidean length 1; zero stays zero.
pub fn normalised(vector: &[f32]) -> Vec<f32> {
    let mut out = vector.to_vec();
    normalise(&mut out);
    out
}

/// `normalise([normalise(q) ; normalise(r)])`: `q` is the query's embedding, `r` that of the record's joined rules, of
/// any lengths (usually equal). The result has `q.len() + r.len()` values. A record without rules passes a zero `r`.
pub fn dual(q: &[f32], r: &[f32]) -> Vec<f32> {
    let mut out = normalised(q);
    out.extend(normalised(r));
    normalise(&mut out);
    out
}

/// Cosine similarity, −1 to 1; 0 when either vector is zero or their lengths differ.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    let (mut dot, mut aa, mut bb) = (0f64, 0f64, 0f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa == 0.0 || bb == 0.0 { 0.0 } else { (dot / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0) }
}

/// Checks that all `rows` have the length of the first one and hold finite numbers only.
///
/// # Errors
/// [`LearnError::Shape`] or [`LearnError::NotFinite`], naming the row by `what` and its position.
pub fn check_rows(what: &str, rows: &[Vec<f32>]) -> Result<(), LearnError> {
    let expected = rows.first().map_or(0, Vec::len);
    for (i, row) in rows.iter().enumerate() {
        if row.len() != expected {
            return Err(LearnError::Shape { what: format!("{what} {i}"), expected, found: row.len() });
        }
        if let Some(position) = row.iter().position(|x| !x.is_finite()) {
            return Err(LearnError::NotFinite { what: format!("{what} {i}"), position });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_rows_stay_zero() {
        assert_eq!(dual(&[0.0, 0.0], &[0.0]), [0.0; 3]);
        assert_eq!(dual(&[0.0, 0.0], &[3.0]), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn bad_rows_are_named() {
        let rows = vec![vec![0.0, 1.0], vec![f32::NAN, 1.0]];
        assert_eq!(
            check_rows("query", &rows),
            Err(LearnError::NotFinite { what: "query 1".into(), position: 0 })
        );
        let rows = vec![vec![0.0, 1.0], vec![1.0]];
        assert!(matches!(check_rows("query", &rows), Err(LearnError::Shape { expected: 2, found: 1, .. })));
    }

    proptest! {
        #[test]
        fn dual_features_have_length_one_and_ignore_scale(
            q in prop::collection::vec(-9f32..9.0, 1..8),
            r in prop::collection::vec(-9f32..9.0, 1..8),
            scale in 0.1f32..50.0,
        ) {
            let x = dual(&q, &r);
            let length: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            prop_assert!((length - 1.0).abs() < 1e-5 || (length == 0.0 && q.iter().chain(&r).all(|v| *v == 0.0)));
            let scaled: Vec<f32> = q.iter().map(|v| v * scale).collect();
            for (a, b) in x.iter().zip(dual(&scaled, &r)) {
                prop_assert!((a - b).abs() < 1e-5);
            }
        }

        #[test]
        fn cosine_is_symmetric_and_bounded(
            a in prop::collection::vec(-9f32..9.0, 4),
            b in prop::collection::vec(-9f32..9.0, 4),
        ) {
            let c = cosine(&a, &b);
            prop_assert!((-1.0..=1.0).contains(&c));
            prop_assert!((c - cosine(&b, &a)).abs() < 1e-12);
        }
    }
}
