//! Pairs with a known answer. A server that drops the template, a model with another head or random weights give the same
//! score for everything, or noise (vllm#21681, llama.cpp#25447); the gap would then be made of it.

const GRAVITY: &str = "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is \
                       responsible for the movement of planets around the sun.";
const GRAVITY_ZH: &str = "万有引力是物体之间相互吸引的力，它使物体具有重量，也使行星围绕太阳运动。";

/// The model card's two examples in English and Chinese, straight (relevant) and crossed (not).
const GOLDEN: [(&str, &str, bool); 8] = [
    ("What is the capital of China?", "The capital of China is Beijing.", true),
    ("Explain gravity", GRAVITY, true),
    ("What is the capital of China?", GRAVITY, false),
    ("Explain gravity", "The capital of China is Beijing.", false),
    ("中国的首都是哪里？", "中国的首都是北京。", true),
    ("请解释万有引力", GRAVITY_ZH, true),
    ("中国的首都是哪里？", GRAVITY_ZH, false),
    ("请解释万有引力", "中国的首都是北京。", false),
];

/// What a relevant pair must reach; an irrelevant one must stay below the rest.
const SURE: f32 = 0.8;

/// The pairs to score, in the order that [`verdict`] expects.
pub(crate) fn golden_pairs() -> Vec<(&'static str, &'static str)> {
    GOLDEN.iter().map(|(query, document, _)| (*query, *document)).collect()
}

/// Judges the scores of [`golden_pairs`].
///
/// # Errors
/// What is wrong, as the end of a sentence that begins with the model's name.
pub(crate) fn verdict(scores: &[f32]) -> Result<(), String> {
    if scores.len() != GOLDEN.len() {
        return Err(format!("gave {} scores for {} pairs", scores.len(), GOLDEN.len()));
    }
    for ((query, document, relevant), score) in GOLDEN.iter().zip(scores) {
        let right = if *relevant { *score >= SURE } else { *score <= 1.0 - SURE };
        if !right {
            let expected = if *relevant { "nearly 1" } else { "nearly 0" };
            return Err(format!("gives {score:.3} to ({query:?}, {document:?}), where {expected} is right"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scores_that_tell_the_pairs_apart_pass() {
        let right: Vec<f32> =
            GOLDEN.iter().map(|(.., relevant)| if *relevant { 0.99 } else { 0.01 }).collect();
        assert_eq!(verdict(&right), Ok(()));
        for broken in [0.0, 0.5, 0.731, 1.0, f32::NAN] {
            assert!(verdict(&[broken; 8]).is_err(), "{broken}");
        }
        for i in 0..right.len() {
            let mut one_wrong = right.clone();
            one_wrong[i] = 1.0 - one_wrong[i];
            let error = verdict(&one_wrong).unwrap_err();
            assert!(error.contains(GOLDEN[i].0), "{error}");
        }
        assert!(verdict(&right[..7]).is_err());
    }
}
