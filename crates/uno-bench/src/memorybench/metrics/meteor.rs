//! METEOR as NLTK computes it (alpha 0.9, beta 3, gamma 0.5), on tokens that are already cut: exact matches only.
//!
//! NLTK then also matches Porter stems and WordNet synonyms. For Chinese words neither finds anything, so there the figure
//! is NLTK's; for English it would be too low, and is not used.

/// METEOR of `answer` against `gold`; 0 without a match.
pub fn meteor(gold: &[String], answer: &[String]) -> f64 {
    let lower = |words: &[String]| words.iter().map(|w| w.to_lowercase()).collect::<Vec<_>>();
    let (gold, answer) = (lower(gold), lower(answer));
    // As NLTK: from the end of the answer, each word takes the last free one of the gold text.
    let mut free: Vec<usize> = (0..gold.len()).collect();
    let mut matches: Vec<(usize, usize)> = Vec::new();
    for (i, word) in answer.iter().enumerate().rev() {
        if let Some(k) = free.iter().rposition(|&j| gold[j] == *word) {
            matches.push((i, free.remove(k)));
        }
    }
    if matches.is_empty() {
        return 0.0;
    }
    matches.reverse();
    let breaks = matches.windows(2).filter(|w| w[1] != (w[0].0 + 1, w[0].1 + 1)).count();
    let n = matches.len() as f64;
    let (p, r) = (n / answer.len() as f64, n / gold.len() as f64);
    let mean = p * r / (0.9 * p + 0.1 * r);
    let fragmentation = (breaks + 1) as f64 / n;
    (1.0 - 0.5 * fragmentation.powi(3)) * mean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn by_hand() {
        // Three matches in two chunks: p = 3/4, r = 3/3.
        let f = meteor(&words("甲 乙 丙"), &words("丙 丁 甲 乙"));
        let mean = 0.75 / (0.9 * 0.75 + 0.1);
        assert!((f - (1.0 - 0.5 * (2.0f64 / 3.0).powi(3)) * mean).abs() < 1e-12, "{f}");
        assert_eq!(meteor(&words("甲"), &words("乙")), 0.0);
        assert_eq!(meteor(&[], &[]), 0.0);
        assert!(meteor(&words("A b"), &words("a B")) > 0.9);
    }
}
