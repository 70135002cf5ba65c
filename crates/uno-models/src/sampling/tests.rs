use proptest::prelude::*;

use super::*;

fn sampling(temperature: f32, top_p: f32, seed: u64) -> Sampling {
    Sampling { temperature, top_p, seed }
}

/// The textbook nucleus: full sort, exact exponentials.
fn nucleus_by_sorting(logits: &[f32], temperature: f32, top_p: f32) -> Vec<(u32, f64)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> =
        logits.iter().map(|&l| (f64::from(l - max) / f64::from(temperature)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let mut reached = 0.0;
    let mut kept = Vec::new();
    for i in order {
        kept.push((i as u32, weights[i] / total));
        reached += weights[i] / total;
        if reached >= f64::from(top_p) {
            break;
        }
    }
    kept
}

#[test]
fn greedy_takes_the_first_of_equal_logits_and_honours_the_mask() {
    let logits = [0.0, 3.0, f32::NAN, 3.0, 2.0];
    assert_eq!(draw(&logits, None, &Sampling::GREEDY, 0, false).unwrap().token, 1);
    let mut mask = SimpleVob::alloc(5);
    mask.allow_token(4);
    mask.allow_token(2);
    assert_eq!(draw(&logits, Some(&mask), &Sampling::GREEDY, 0, false).unwrap().token, 4);
    let empty = SimpleVob::alloc(5);
    assert_eq!(draw(&logits, Some(&empty), &Sampling::GREEDY, 0, false), Err(SamplingError::NoFiniteLogit));
}

#[test]
fn log_probabilities_are_those_of_the_model_not_of_the_mask() {
    let logits = [1.0_f32, 2.0, 3.0];
    let exact: f64 = 1.0 - (1f64.exp() + 2f64.exp() + 3f64.exp()).ln();
    let mut mask = SimpleVob::alloc(3);
    mask.allow_token(0);
    let drawn = draw(&logits, Some(&mask), &sampling(0.3, 0.5, 7), 4, true).unwrap();
    assert_eq!(drawn.token, 0);
    assert!((f64::from(drawn.logprob.unwrap()) - exact).abs() < 1e-6);
}

#[test]
fn frequencies_follow_the_distribution() {
    let logits: Vec<f32> = (0..600).map(|i| ((i * 37) % 101) as f32 * 0.05).collect();
    for (temperature, top_p) in [(1.0, 1.0), (0.7, 0.9), (1.5, 0.5)] {
        let expected = nucleus_by_sorting(&logits, temperature, top_p);
        let mass: f64 = expected.iter().map(|e| e.1).sum();
        let mut counts = vec![0usize; 600];
        let draws = 40_000;
        for step in 0..draws {
            let token = draw(&logits, None, &sampling(temperature, top_p, 42), step, false).unwrap().token;
            counts[token as usize] += 1;
        }
        let chi2: f64 = expected
            .iter()
            .map(|&(id, p)| {
                let e = p / mass * draws as f64;
                (counts[id as usize] as f64 - e).powi(2) / e
            })
            .sum();
        let freedom = expected.len() as f64 - 1.0;
        // Six standard deviations of the chi-squared distribution.
        assert!(chi2 < freedom + 6.0 * (2.0 * freedom).sqrt(), "chi² {chi2} for {freedom} degrees");
        assert_eq!(
            counts.iter().sum::<usize>(),
            expected.iter().map(|&(id, _)| counts[id as usize]).sum::<usize>()
        );
    }
}

#[test]
fn another_seed_or_step_gives_another_draw_and_the_same_gives_the_same() {
    let logits = vec![0.0_f32; 50_000];
    let of = |seed, step| draw(&logits, None, &sampling(1.0, 1.0, seed), step, false).unwrap().token;
    assert_eq!(of(1, 5), of(1, 5));
    let all = [of(1, 5), of(1, 6), of(2, 5), of(2, 6)];
    assert!(all.iter().collect::<std::collections::HashSet<_>>().len() > 1);
}

#[test]
fn settings_are_checked() {
    assert!(check(&sampling(0.0, 1.0, 0)).is_ok());
    for (t, p) in [(-1.0, 1.0), (f32::NAN, 1.0), (1.0, 0.0), (1.0, 1.1), (f32::INFINITY, 1.0)] {
        assert!(check(&sampling(t, p, 0)).is_err(), "{t} {p}");
    }
}

proptest! {
    #[test]
    fn draws_stay_inside_the_nucleus(
        logits in prop::collection::vec(-30.0_f32..30.0, 1..700),
        temperature in 0.05_f32..3.0,
        top_p in 0.01_f32..0.999,
        seed in any::<u64>(),
    ) {
        // A little more mass: rounding may move the border by one token.
        let kept = nucleus_by_sorting(&logits, temperature, top_p + 1e-5);
        for step in 0..8 {
            let token = draw(&logits, None, &sampling(temperature, top_p, seed), step, false).unwrap().token;
            prop_assert!(kept.iter().any(|k| k.0 == token));
        }
    }

    #[test]
    fn draws_stay_inside_the_mask(
        rows in prop::collection::vec((-5.0_f32..5.0, any::<bool>()), 1..400),
        seed in any::<u64>(),
        top_p in 0.1_f32..=1.0,
    ) {
        let logits: Vec<f32> = rows.iter().map(|r| r.0).collect();
        let allowed: Vec<bool> = rows.iter().map(|r| r.1).collect();
        let mask = SimpleVob::from_slice(&allowed);
        match draw(&logits, Some(&mask), &sampling(1.0, top_p, seed), 0, false) {
            Ok(d) => prop_assert!(allowed[d.token as usize]),
            Err(_) => prop_assert!(allowed.iter().all(|a| !a)),
        }
    }
}
