use std::collections::BTreeSet;

use super::*;

fn story() -> Story {
    Story::new(&EvolutionOptions::default()).unwrap()
}

#[test]
fn every_question_comes_once_and_domains_come_when_they_should() {
    let (story, options) = (story(), EvolutionOptions::default());
    let mut asked = BTreeSet::new();
    for step in 0..options.steps {
        let scripts = story.scripts(step);
        let domains = if step < options.late { 3 } else { 4 };
        let each = if step == 0 { options.first } else { options.per_step };
        assert_eq!(scripts.len(), domains * each, "step {step}");
        for script in scripts {
            assert!(asked.insert(script.question.clone()), "{} twice", script.question);
        }
    }
}

#[test]
fn the_rule_changes_in_its_step_and_questions_stay_the_same() {
    let (story, options) = (story(), EvolutionOptions::default());
    let texts = |step| story.questions(step).into_iter().map(|q| q.question).collect::<Vec<_>>();
    assert_eq!(texts(0), texts(options.steps - 1));
    let check = |step: usize| story.questions(step)[0].check.clone();
    assert_eq!(check(0), check(options.drift - 1));
    assert_ne!(check(options.drift), check(0));
    let late = |step: usize| {
        let all = story.questions(step);
        all.iter().filter(|q| q.domain == "finance").all(|q| q.check.is_some())
    };
    assert!(!late(options.late - 1) && late(options.late));
    // What users say follows.
    let said = |step: usize| {
        let own = story.scripts(step).into_iter().filter(|s| s.domain == 0);
        own.filter(|s| format!("{:?}", s.turn).to_lowercase().contains("bullet")).count()
    };
    assert!(said(options.drift) > 0 && said(options.drift - 1) == 0);
}

#[test]
fn the_burst_is_a_burst() {
    let (story, options) = (story(), EvolutionOptions { burst_noise: 0.5, ..EvolutionOptions::default() });
    let noisy = |step: usize| {
        let all = story.scripts(step);
        let own = |s: &&Script| !matches!(s.turn, crate::simulate::script::Turn::Complaint(_));
        all.iter().filter(own).count() as f64 / all.len() as f64
    };
    let ordinary: f64 = (0..options.steps).filter(|s| *s != options.burst).map(noisy).sum::<f64>() / 7.0;
    assert!(noisy(options.burst) > ordinary + 0.2, "{} {ordinary}", noisy(options.burst));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let wrong = |change: fn(&mut EvolutionOptions)| {
        let mut options = EvolutionOptions::default();
        change(&mut options);
        Story::new(&options).map(|_| ()).unwrap_err()
    };
    assert!(wrong(|o| o.domains[0] = "moon".into()).contains("moon"));
    assert!(wrong(|o| o.steps = 5).contains("six"));
    assert!(wrong(|o| o.drift = 0).contains("after the first"));
    assert!(wrong(|o| o.per_step = 20).contains("topics"));
    assert!(wrong(|o| o.domains[0] = "office".into()).contains("office"));
    assert!(Story::new(&EvolutionOptions::quick()).is_ok());
}

fn step(step: usize, mean: f64) -> StepScore {
    let mut score = crate::learning::Score::default();
    score.obedience.mean = mean;
    score.by_domain.insert("cooking".into(), mean);
    StepScore {
        step,
        event: if step == 2 { "a, b".into() } else { String::new() },
        new_logs: 3,
        logs: 3 * step,
        score,
        base: uno_learn::stats::Estimate::default(),
        learning_tokens: 1,
        learning_seconds: 1.0,
        cpu_seconds: 1.0,
    }
}

#[test]
fn a_fall_is_excused_for_two_steps_after_a_change_only() {
    let story = |means: &[f64]| means.iter().enumerate().map(|(i, m)| step(i, *m)).collect::<Vec<_>>();
    assert_eq!(recovers(&story(&[0.5, 0.9, 0.4, 0.5, 0.9]), &[2]), [0usize; 0]);
    assert_eq!(recovers(&story(&[0.5, 0.9, 0.4, 0.5, 0.6]), &[2]), [4]);
    assert_eq!(recovers(&story(&[0.5, 0.9, 0.86, 0.8]), &[]), [3]);
}

#[test]
fn tables_and_pictures_hold_every_step() {
    let steps = [step(0, 0.1), step(1, 0.5), step(2, 0.9)];
    assert_eq!(rows(&steps).len(), 4);
    assert!(csv(&steps).lines().all(|l| l.split(',').count() == 12), "{}", csv(&steps));
    let svg = svg(&steps, &EvolutionOptions::default());
    assert!(svg.contains("a, b") && svg.matches("<polyline").count() == 6);
}
