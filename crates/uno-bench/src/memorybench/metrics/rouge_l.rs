//! ROUGE-L as Google's `rouge_score` computes it, without stemming: JRE-L's first metric.

/// F-measure of the longest common subsequence of words (letters and digits of ASCII, in lower case).
pub fn rouge_l(gold: &str, answer: &str) -> f64 {
    let (gold, answer) = (words(gold), words(answer));
    if gold.is_empty() || answer.is_empty() {
        return 0.0;
    }
    let mut row = vec![0usize; answer.len() + 1];
    for g in &gold {
        let mut diagonal = 0;
        for (j, a) in answer.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if g == a { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    let common = row[answer.len()] as f64;
    let (p, r) = (common / answer.len() as f64, common / gold.len() as f64);
    if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    parts.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // "the cat sat" against "the dog sat down": 2 common; p = 2/4, r = 2/3.
        let f = rouge_l("The cat sat.", "the dog SAT down");
        assert!((f - 2.0 * 0.5 * (2.0 / 3.0) / (0.5 + 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!((rouge_l("", "a"), rouge_l("a", "—"), rouge_l("a b", "a b")), (0.0, 0.0, 1.0));
        assert_eq!(rouge_l("a", "b"), 0.0);
    }
}
