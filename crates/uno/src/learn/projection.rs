//! Two principal components by power iteration: a map for people, nothing is decided by it.

/// Positions of `vectors` (all of one length) on their first two principal axes. Deterministic; the sign of each axis is
/// chosen so that its largest coordinate is positive.
pub fn project(vectors: &[Vec<f32>]) -> Vec<[f32; 2]> {
    let (n, d) = (vectors.len(), vectors.first().map_or(0, Vec::len));
    if n == 0 || d == 0 {
        return vec![[0.0; 2]; n];
    }
    let mut mean = vec![0f64; d];
    for v in vectors {
        mean.iter_mut().zip(v).for_each(|(m, x)| *m += f64::from(*x) / n as f64);
    }
    let centred: Vec<Vec<f64>> =
        vectors.iter().map(|v| v.iter().zip(&mean).map(|(x, m)| f64::from(*x) - m).collect()).collect();
    let first = axis(&centred, None);
    let second = axis(&centred, Some(&first));
    centred.iter().map(|v| [dot(v, &first) as f32, dot(v, &second) as f32]).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The main axis, or the main one orthogonal to `other`.
fn axis(rows: &[Vec<f64>], other: Option<&[f64]>) -> Vec<f64> {
    let d = rows[0].len();
    // Any start that is not orthogonal to the axis does; this one differs in every coordinate.
    let mut v: Vec<f64> = (0..d).map(|i| 1.0 + (i as f64 * 0.618).fract()).collect();
    for _ in 0..60 {
        let mut next = vec![0f64; d];
        for row in rows {
            let weight = dot(row, &v);
            next.iter_mut().zip(row).for_each(|(x, r)| *x += weight * r);
        }
        if let Some(other) = other {
            let along = dot(&next, other);
            next.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
        }
        let norm = dot(&next, &next).sqrt();
        if norm < 1e-12 {
            return vec![0.0; d];
        }
        next.iter_mut().for_each(|x| *x /= norm);
        v = next;
    }
    let largest = v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    if largest < 0.0 {
        v.iter_mut().for_each(|x| *x = -*x);
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_two_long_axes() {
        let vectors: Vec<Vec<f32>> = (0..40)
            .map(|i| {
                let (a, b) = ((i % 8) as f32 - 3.5, (i / 8) as f32 - 2.0);
                vec![0.01 * a, 3.0 * a, b, 5.0]
            })
            .collect();
        let points = project(&vectors);
        for (v, p) in vectors.iter().zip(&points) {
            assert!((p[0].abs() - v[1].abs()).abs() < 0.02, "{p:?} {v:?}");
            assert!((p[1].abs() - v[2].abs()).abs() < 0.02, "{p:?} {v:?}");
        }
        assert_eq!(project(&[]), Vec::<[f32; 2]>::new());
        assert_eq!(project(&[vec![1.0, 2.0], vec![1.0, 2.0]]), [[0.0; 2]; 2]);
    }
}
