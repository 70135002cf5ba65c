use uno_types::{Check, Embedder, ModelError};

use super::*;
use crate::simulate::RuleKind;

/// Two dimensions: texts about "pot" and all others.
struct Pots;

impl Embedder for Pots {
    fn id(&self) -> String {
        "pots".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(texts.iter().map(|t| if t.contains("pot") { vec![1.0, 0.0] } else { vec![0.0, 1.0] }).collect())
    }
}

fn question(domain: &str, kind: Option<RuleKind>, check: Option<Check>) -> TestQuestion {
    let (id, question) = (format!("{domain}-1"), "How big is the pot?".to_owned());
    TestQuestion { id, domain: domain.into(), kind, question, check }
}

fn all() -> Vec<TestQuestion> {
    vec![
        question("a", Some(RuleKind::Arbitrary), Some(Check::EndsWith { text: "Bye.".into() })),
        question("b", Some(RuleKind::Unusual), Some(Check::MaxWords { max: 5 })),
        question("neutral", None, None),
        question("neutral", None, None),
    ]
}

fn scored(texts: [&str; 4], base: [&str; 4]) -> Score {
    let own = |texts: [&str; 4]| texts.map(str::to_owned).to_vec();
    let answered =
        Answered { texts: own(texts), prompt_tokens: 40, completion_tokens: 20, calls: 8, seconds: 2.0 };
    score(&all(), &answered, &own(base), &Pots, 1).unwrap()
}

const BASE: [&str; 4] = [
    "The pot is rather large, I would say so.",
    "The pot is large and round and red.",
    "A pot holds \
    about five litres of water.",
    "A pot holds about five litres of water.",
];

#[test]
fn the_base_model_is_not_worse_than_itself() {
    let s = scored(BASE, BASE);
    assert_eq!((s.obedience.mean, s.damage.any.mean, s.damage.beyond_base.mean), (0.0, 0.0, 0.0));
    assert_eq!((s.tokens_per_answer, s.calls_per_answer, s.seconds_per_answer), (15.0, 2.0, 0.5));
}

#[test]
fn obedience_is_counted_by_domain_and_kind() {
    let s = scored(["The pot is large. Bye.", "The pot is large and round and red.", BASE[2], BASE[3]], BASE);
    assert_eq!((s.obedience.mean, s.obedience.n), (0.5, 2));
    assert_eq!((s.by_domain["a"], s.by_domain["b"]), (1.0, 0.0));
    assert_eq!((s.by_kind["arbitrary"], s.by_kind["unusual"]), (1.0, 0.0));
}

#[test]
fn each_damage_is_seen() {
    let looped = "the pot is big ".repeat(20);
    // Empty; about something else; a house rule that spread to a neutral question; a loop there.
    let s = scored(["", "Rome.", "A pot holds about five litres. Bye.", &looped], BASE);
    assert_eq!((s.damage.empty, s.damage.off_topic, s.damage.repetitive), (0.25, 0.25, 0.25));
    assert_eq!((s.damage.worse_elsewhere, s.damage.any.mean), (0.5, 1.0));
    assert_eq!(s.damage.beyond_base.mean, 1.0);
}

#[test]
fn perplexity_is_the_mean_over_tokens() {
    let half = -std::f32::consts::LN_2;
    assert!((perplexity(&[vec![half, half], vec![half]]).unwrap() - 2.0).abs() < 1e-6);
    assert_eq!(perplexity(&[vec![]]), None);
}

#[test]
fn tables_and_pictures_hold_every_row() {
    let score = scored(BASE, BASE);
    let cell = Cell {
        system: "uno".into(),
        noise: 0.3,
        score,
        uno_ahead: None,
        learning_tokens: 7,
        learning_seconds: 3.0,
        cpu_seconds: 4.0,
        training_seconds: Some(2.0),
        perplexity: Some((4.0, 3.5)),
    };
    let mut both = [Cell { system: "rules".into(), ..cell.clone() }, cell.clone()];
    ahead_of(&mut both, &[vec![0.0, 1.0, 0.0, 0.0], vec![1.0, 1.0, 1.0, 0.0]], 1);
    assert_eq!((both[0].uno_ahead.unwrap().mean, both[0].uno_ahead.unwrap().n), (0.5, 4));
    assert!(both[1].uno_ahead.is_none());
    assert!(text(&both)[1][4].starts_with("+50 ("), "{:?}", text(&both)[1]);
    let rows = text(std::slice::from_ref(&cell));
    assert_eq!((rows.len(), rows[0].len(), rows[1].len()), (2, 12, 12));
    let csv = csv(&[cell.clone(), cell]);
    let columns: Vec<usize> = csv.lines().map(|l| l.split(',').count()).collect();
    assert_eq!(columns, [29, 29, 29]);
    let bar = Bar { label: "a <b>".into(), value: rows_estimate() };
    assert!(bars("t", &[bar]).contains("a &lt;b&gt;"));
    let line = Line { label: "x".into(), values: vec![Some(0.0), None, Some(1.0)] };
    let svg = lines("t", &["1".into(), "2".into(), "3".into()], &[(1, "drift".into())], &[line]);
    assert!(svg.contains("drift") && svg.contains("points='56.0,330.0 590.0,44.0'"), "{svg}");
}

fn rows_estimate() -> uno_learn::stats::Estimate {
    uno_learn::stats::Estimate { mean: 0.5, low: 0.4, high: 0.6, n: 9 }
}

#[test]
fn domains_are_chosen_by_name() {
    let options = LearningOptions::default();
    let chosen = options.chosen().unwrap();
    assert_eq!(chosen.len(), 6);
    for kind in [RuleKind::Known, RuleKind::Unusual, RuleKind::Arbitrary] {
        assert_eq!(chosen.iter().filter(|d| d.kind == kind).count(), 2, "{kind:?}");
        assert_eq!(LearningOptions::quick().chosen().unwrap().iter().filter(|d| d.kind == kind).count(), 1);
    }
    let wrong = LearningOptions { domains: vec!["cooking".into(), "cooking".into()], ..options };
    assert!(wrong.chosen().unwrap_err().contains("travel"));
}
