use uno_types::{Check, Guard, Outcome, ScoredBy};

use super::*;
use crate::testing::{Scripted, rule};

const BASE: &str = "Comets are lumps of ice and dust that circle the sun on long paths and grow a tail when they come near it";

fn held_out() -> Vec<HeldOut> {
    let rules = vec![rule("At most 9 words.", "", Some(Check::MaxWords { max: 9 }))];
    (0..4)
        .map(|i| HeldOut {
            record: format!("r{i}"),
            cluster: i / 2,
            prompt: vec![Message::user(format!("What is comet {i}?"))],
            rules: rules.clone(),
        })
        .collect()
}

fn checkpoint(cluster: usize, epoch: usize, name: &str) -> Checkpoint {
    Checkpoint { cluster, epoch, adapter: AdapterRef { name: name.into(), dir: "d".into() } }
}

fn models<'a>(target: &'a dyn ChatModel, judge: &'a dyn ChatModel) -> Models<'a> {
    Models { target, judge, embedder: &Topic }
}

/// Texts about comets lie in one direction, all others in another.
struct Topic;

impl Embedder for Topic {
    fn id(&self) -> String {
        "topic".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let about_comets = |t: &str| ["comet", "Comet", "Icy"].iter().any(|word| t.contains(word));
        Ok(texts.iter().map(|t| if about_comets(t) { vec![1.0, 0.0] } else { vec![0.0, 1.0] }).collect())
    }
}

#[test]
fn all_checkpoints_answer_in_one_batch_and_programs_judge() {
    let model = Scripted::new(|r| {
        Ok(match r.adapter.as_ref().map(|a| a.name.as_str()) {
            None => BASE.to_owned(),
            Some("good") => "Icy lumps orbit the sun.".into(),
            Some("same") => BASE.into(),
            Some("mute") => "ice".into(),
            Some("off") => "Bananas bananas bananas.".into(),
            Some(_) => return Err(ModelError::Invalid("broken".into())),
        })
    });
    let judge_model = Scripted::new(|_| Err(ModelError::Upstream("never asked".into())));
    let checkpoints = [
        checkpoint(0, 1, "good"),
        checkpoint(0, 2, "same"),
        checkpoint(0, 3, "mute"),
        checkpoint(0, 4, "off"),
        checkpoint(0, 5, "broken"),
    ];
    let options = VerifyOptions::default();
    let out = experts(
        &held_out(),
        &checkpoints,
        &InService::new(),
        models(&model, &judge_model),
        &options,
        &mut |_, _| {},
    )
    .unwrap();
    // Two held-out records of cluster 0: two base answers, two per checkpoint; nothing for cluster 1.
    assert_eq!((model.calls(), judge_model.calls()), (2 + 2 * 5, 0));
    let rates: Vec<f64> = out.rates.iter().map(|r| r.win_rate.rate).collect();
    assert_eq!(rates, [1.0, 0.5, 0.0, 0.0, 0.0]);
    assert_eq!(out.rates[4].win_rate.unknown, 2);
    let first = |adapter: &str| out.verdicts.iter().find(|v| v.adapter == adapter).unwrap().clone();
    assert_eq!(
        (first("good").outcome, first("good").guard, first("good").scored_by),
        (Outcome::Win, None, ScoredBy::Program)
    );
    assert!(
        first("good").bleu <= 0.05,
        "BLEU alone would call every short answer collapsed: {}",
        first("good").bleu
    );
    assert_eq!(first("mute").guard, Some(Guard::TooShort));
    assert_eq!((first("off").outcome, first("off").guard), (Outcome::Loss, Some(Guard::OffTopic)));
    assert_eq!(first("broken").outcome, Outcome::Unknown);
    let paper = VerifyOptions { min_relevance: None, ..options };
    let out = experts(
        &held_out(),
        &checkpoints[..1],
        &InService::new(),
        models(&model, &judge_model),
        &paper,
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(out.verdicts[0].guard, Some(Guard::Collapsed));
}

#[test]
fn the_reflective_path_is_compared_with_its_own_base_answer() {
    let model = Scripted::new(|r| {
        Ok(match (&r.adapter, r.messages.len()) {
            (Some(_), _) => "1. At most 9 words.".to_owned(),
            (None, 1) => BASE.to_owned(),
            (None, _) => "Comets are lumps of ice and dust.".to_owned(),
        })
    });
    let checkpoints = [checkpoint(1, 3, "critic")];
    let out = critics(
        &held_out(),
        &checkpoints,
        &InService::new(),
        models(&model, &model),
        &VerifyOptions::default(),
        &mut |_, _| {},
    )
    .unwrap();
    assert_eq!(out.verdicts.len(), 2);
    assert_eq!((out.rates[0].win_rate.wins, out.rates[0].epoch), (2, 3));
    assert_eq!(out.verdicts[0].base_answer, BASE);
}
