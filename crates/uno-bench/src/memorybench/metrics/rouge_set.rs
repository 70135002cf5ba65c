//! LexEval's ROUGE-L: words by jieba, and the set semantics of the Python package `rouge` 1.0.1.

use std::collections::HashSet;

use uno_learn::bleu::jieba;

/// Longest path through the table that Python's recursion limit lets the package rebuild; beyond it the published score is 0.
/// (Measured on published results: 901 steps score, 1039 do not.)
const MAX_CALLS: usize = 984;

/// Chinese marks that LexEval deletes beside the ASCII ones.
const MARKS: &str = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏.";

/// The score of an answer against the gold answer.
pub fn set_rouge_l(gold: &str, answer: &str) -> f64 {
    set_rouge_l_of(&lexeval_tokens(gold), &lexeval_tokens(answer))
}

/// The words of a text: in lower case, without marks and white space, cut by jieba.
pub fn lexeval_tokens(text: &str) -> Vec<String> {
    let kept = |c: &char| !c.is_ascii_punctuation() && !MARKS.contains(*c) && !c.is_whitespace();
    jieba(&text.to_lowercase().chars().filter(kept).collect::<String>())
}

/// F of sets: the words on one longest common subsequence against all different words of either side.
pub fn set_rouge_l_of<S: AsRef<str>>(gold: &[S], answer: &[S]) -> f64 {
    let (gold, answer): (Vec<&str>, Vec<&str>) =
        (gold.iter().map(AsRef::as_ref).collect(), answer.iter().map(AsRef::as_ref).collect());
    let Some(common) = common_words(&gold, &answer) else { return 0.0 };
    let distinct = |words: &[&str]| words.iter().collect::<HashSet<_>>().len() as f64;
    if gold.is_empty() || answer.is_empty() {
        return 0.0;
    }
    let common = common.len() as f64;
    let (p, r) = (common / distinct(&answer), common / distinct(&gold));
    2.0 * (p * r / (p + r + 1e-8))
}

/// The words on the path that the package takes back through the table; `None` where Python gives up.
fn common_words<'a>(gold: &[&'a str], answer: &[&str]) -> Option<HashSet<&'a str>> {
    let (m, n) = (gold.len(), answer.len());
    // A path from the far corner to an edge has at least min(m, n) steps: no table is needed to see that it is too long.
    if m.min(n) + 1 > MAX_CALLS {
        return None;
    }
    let width = n + 1;
    let mut table = vec![0u16; (m + 1) * width];
    for i in 1..=m {
        for j in 1..=n {
            table[i * width + j] = if gold[i - 1] == answer[j - 1] {
                table[(i - 1) * width + j - 1] + 1
            } else {
                table[(i - 1) * width + j].max(table[i * width + j - 1])
            };
        }
    }
    let (mut i, mut j, mut calls, mut words) = (m, n, 1, HashSet::new());
    while i > 0 && j > 0 {
        if gold[i - 1] == answer[j - 1] {
            words.insert(gold[i - 1]);
            (i, j) = (i - 1, j - 1);
        } else if table[(i - 1) * width + j] > table[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
        calls += 1;
        if calls > MAX_CALLS {
            return None;
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sets_not_sequences() {
        // LCS of "a b a" and "a a": the set {a}; precision 1/1, recall 1/2.
        let f = set_rouge_l_of(&["a", "b", "a"], &["a", "a"]);
        assert!((f - 2.0 * (0.5 / (1.5 + 1e-8))).abs() < 1e-15, "{f}");
        assert_eq!(set_rouge_l_of(&["a"], &[]), 0.0);
        assert_eq!(set_rouge_l("", "甲"), 0.0);
    }

    #[test]
    fn marks_and_case_do_not_count() {
        assert_eq!(lexeval_tokens("《民法典》第1253条，OK！"), ["《", "民法典", "第", "1253", "条", "ok"]);
    }

    #[test]
    fn python_gives_up_on_long_pairs() {
        let words = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        // 983 equal words are 983 steps and 984 calls.
        assert!(set_rouge_l_of(&words(983), &words(983)) > 0.99);
        assert_eq!(set_rouge_l_of(&words(984), &words(984)), 0.0);
        // Nothing in common: the path runs along one side only, then stops.
        let other: Vec<String> = (0..600).map(|i| format!("x{i}")).collect();
        assert_eq!(set_rouge_l_of(&words(600), &other), 0.0);
    }

    proptest! {
        #[test]
        fn a_share_and_one_for_equals(a in prop::collection::vec("[a-d]", 1..30), b in prop::collection::vec("[a-d]", 1..30)) {
            let f = set_rouge_l_of(&a, &b);
            prop_assert!((0.0..=1.0).contains(&f));
            prop_assert!((set_rouge_l_of(&a, &a) - 1.0).abs() < 1e-7);
        }
    }
}
