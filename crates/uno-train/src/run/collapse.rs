//! Whether an adapter has collapsed: chosen answers become less likely while its own grow longer or repeat themselves.
//!
//! The log-probability alone proves nothing (DPO lowers it for good pairs too), and generating after every epoch would
//! slow down every training for the sake of a few. So an epoch whose log-probability fell is a suspicion, and only then a
//! few prompts are answered, by the base and by the adapter.

use std::sync::Arc;

use uno_engine::{Decoder, LoraWeights};

use super::stepper::Item;
use crate::config::TrainConfig;
use crate::error::{TrainError, engine};
use crate::event::EpochResult;

/// Prompts that are answered, and tokens of an answer at most.
const PROMPTS: usize = 3;
const TOKENS: usize = 64;

/// Answers so much longer than the base's count as grown.
const LONGER: f64 = 1.5;

/// A share of repeated word sequences so much above the base's counts as risen.
const MORE_REPETITION: f64 = 0.2;

/// Tokens of the sequences that are compared.
const GRAM: usize = 4;

/// An epoch's loss of log-probability per chosen token against the base, in nats.
#[derive(Debug, PartialEq)]
pub(crate) struct Suspicion {
    drop: f64,
    before: f64,
}

/// Answers to a few prompts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answers {
    /// Mean length in tokens; what did not end counts with the tokens it has.
    tokens: f64,
    /// Share of sequences of four tokens that stood before in the same answer, 0–1.
    repetition: f64,
}

/// Whether the chosen answers have lost more than `collapse_drop` and went on falling in this epoch.
pub(crate) fn suspected(
    previous: Option<&EpochResult>,
    epoch: &EpochResult,
    config: &TrainConfig,
) -> Option<Suspicion> {
    let drop = |epoch: &EpochResult| {
        let preferences = epoch.validation_preferences.or(epoch.train_preferences)?;
        Some(preferences.chosen_drop(config.beta))
    };
    let now = drop(epoch)?;
    let before = previous.and_then(drop).unwrap_or(0.0);
    (config.collapse_drop > 0.0 && now > config.collapse_drop && now > before)
        .then_some(Suspicion { drop: now, before })
}

/// Greedy answers of the base and of the adapter to the first prompts.
pub(crate) fn answers(
    decoder: &Decoder,
    weights: &Arc<LoraWeights>,
    items: &[Item<'_>],
) -> Result<(Answers, Answers), TrainError> {
    let prompts: Vec<&[u32]> = items.iter().take(PROMPTS).map(|item| item.example().prompt()).collect();
    Ok((answer(decoder, None, &prompts)?, answer(decoder, Some(weights), &prompts)?))
}

/// The reason to stop, if the answers bear the suspicion out.
pub(crate) fn verdict(suspicion: &Suspicion, base: &Answers, adapter: &Answers) -> Option<String> {
    let longer = adapter.tokens > LONGER * base.tokens;
    let repetitive = adapter.repetition > base.repetition + MORE_REPETITION;
    (longer || repetitive).then(|| {
        format!(
            "the adapter has collapsed: a token of the chosen answers lost {:.2} nats against the base ({:.2} an epoch before), \
             while answers went from {:.0} to {:.0} tokens and repetition from {:.0} % to {:.0} %; try a lower lr, a higher \
             beta or a higher loss.sft_weight",
            suspicion.drop,
            suspicion.before,
            base.tokens,
            adapter.tokens,
            base.repetition * 100.0,
            adapter.repetition * 100.0
        )
    })
}

fn answer(
    decoder: &Decoder,
    adapter: Option<&Arc<LoraWeights>>,
    prompts: &[&[u32]],
) -> Result<Answers, TrainError> {
    let mut texts = Vec::new();
    for prompt in prompts {
        let failed = || engine(|| "answering a prompt to look for collapse".into());
        let mut sequence = decoder.start(None, adapter.cloned(), prompt.len() + TOKENS);
        let mut logits = decoder.advance(&mut [(&mut sequence, *prompt)]).map_err(failed())?;
        let mut text: Vec<u32> = Vec::new();
        while text.len() < TOKENS && sequence.room() > 0 {
            let best = logits.row(0).iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let token = best.map_or(0, |(id, _)| id as u32);
            text.push(token);
            if decoder.config().eos.contains(&token) {
                break;
            }
            logits =
                decoder.advance(&mut [(&mut sequence, std::slice::from_ref(&token))]).map_err(failed())?;
        }
        texts.push(text);
    }
    let n = texts.len().max(1) as f64;
    Ok(Answers {
        tokens: texts.iter().map(|text| text.len() as f64).sum::<f64>() / n,
        repetition: texts.iter().map(|text| repetition(text)).sum::<f64>() / n,
    })
}

/// Share of sequences of [`GRAM`] tokens that stood before.
fn repetition(text: &[u32]) -> f64 {
    let grams = text.windows(GRAM);
    let all = grams.len();
    let distinct = grams.collect::<std::collections::HashSet<_>>().len();
    if all == 0 { 0.0 } else { 1.0 - distinct as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::PreferenceMetrics;

    fn epoch(drop: f64) -> EpochResult {
        let preferences = PreferenceMetrics {
            pairs: 1,
            chosen_reward: -drop * 0.1 * 10.0,
            chosen_tokens: 10.0,
            ..PreferenceMetrics::default()
        };
        EpochResult {
            epoch: 1,
            dir: "epoch-1".into(),
            train_loss: 1.0,
            train_preferences: None,
            validation_loss: None,
            validation_preferences: Some(preferences),
            steps: 1,
        }
    }

    #[test]
    fn only_a_large_and_growing_loss_of_likelihood_is_suspicious() {
        let config = TrainConfig::default();
        let suspected =
            |before: Option<f64>, now| suspected(before.map(epoch).as_ref(), &epoch(now), &config);
        assert_eq!(suspected(None, 0.4), None);
        assert_eq!(suspected(Some(0.9), 0.8), None, "it recovers");
        let suspicion = suspected(Some(0.3), 0.8).unwrap();
        assert!((suspicion.drop - 0.8).abs() < 1e-9 && (suspicion.before - 0.3).abs() < 1e-9);
        let off = TrainConfig { collapse_drop: 0.0, ..config.clone() };
        assert_eq!(super::suspected(None, &epoch(5.0), &off), None);
    }

    #[test]
    fn it_takes_longer_or_repetitive_answers_to_convict() {
        let suspicion = Suspicion { drop: 0.8, before: 0.3 };
        let base = Answers { tokens: 20.0, repetition: 0.1 };
        let verdict = |tokens, repetition| verdict(&suspicion, &base, &Answers { tokens, repetition });
        assert_eq!(verdict(25.0, 0.2), None);
        let reason = verdict(40.0, 0.0).unwrap();
        assert!(reason.contains("lost 0.80 nats") && reason.contains("from 20 to 40 tokens"), "{reason}");
        assert!(verdict(20.0, 0.5).unwrap().contains("repetition from 10 % to 50 %"));
    }

    #[test]
    fn repetition_counts_what_stood_before() {
        assert_eq!(repetition(&[1, 2, 3]), 0.0);
        assert_eq!(repetition(&[1, 2, 3, 4, 5, 6]), 0.0);
        assert_eq!(repetition(&[7; 13]), 0.9);
    }
}
