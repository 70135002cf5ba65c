//! The best of several checkpoints, and how good it is on records that did not choose it.
//!
//! The best of eight worthless checkpoints looks good on the records that picked it: with ten held-out records, one in
//! five such clusters would pass. So the records are cut in two; each half picks a checkpoint, and its pick is tested on
//! the other half. Every record counts once, and none for a checkpoint that it helped to pick. A checkpoint is picked by its own
//! win rate and its neighbours': a few records cannot tell two epochs apart, and the one between two good ones is good.
//!
//! Before that the checkpoints are tested one by one from the last backwards, in an order that no record chose, as long as each
//! is better than the base by itself: that the first one that is not passes is as likely as if it were alone. Among those that
//! pass it does not matter which was picked, and the weakest of them is the evidence.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use uno_types::{AdapterRef, Outcome, ScoredBy, Verdict, WinRate};

use crate::plan::Tested;
use crate::stats::{below, win_rate};

/// A checkpoint and the verdicts on it.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The adapter.
    pub adapter: AdapterRef,
    /// One per held-out record.
    pub verdicts: Vec<&'a Verdict>,
}

/// What came of each record, and who scored it.
type Outcomes<'a> = BTreeMap<&'a str, (Outcome, ScoredBy)>;

/// As published: the checkpoint with the highest win rate, the later of equals, with that win rate. `None` without
/// checkpoints.
pub fn highest(checkpoints: &[Judged<'_>]) -> Option<Tested> {
    let of = |c: &Judged<'_>, programs_only| {
        rate_of(c.verdicts.iter().map(|v| (v.outcome, v.scored_by)), programs_only)
    };
    let rate = |c: &Judged<'_>| of(c, false).map_or(0.0, |w| w.rate);
    let best = checkpoints.iter().max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    Some(Tested {
        adapter: best.adapter.clone(),
        win_rate: of(best, false),
        by_program: of(best, true),
        checkpoints: checkpoints.len(),
    })
}

/// The checkpoint to promote, with win rates that the choosing does not flatter. Without a trusted judge (`judge_counts`)
/// only verdicts that programs made alone count; the others are unknown. `None` without checkpoints.
pub fn confirmed(checkpoints: &[Judged<'_>], judge_counts: bool, seed: u64) -> Option<Tested> {
    let counted = |v: &Verdict| judge_counts || v.scored_by == ScoredBy::Program;
    let all: Vec<Outcomes<'_>> = checkpoints
        .iter()
        .map(|c| {
            let outcome = |v: &Verdict| if counted(v) { v.outcome } else { Outcome::Unknown };
            c.verdicts.iter().map(|v| (v.record.as_str(), (outcome(v), v.scored_by))).collect()
        })
        .collect();
    let records: BTreeSet<&str> = all.iter().flat_map(|c| c.keys().copied()).collect();
    let records: Vec<&str> = records.into_iter().collect();
    let passes = |c: &&Outcomes<'_>| rate_of(c.values().copied(), false).is_some_and(|w| w.is_above_half());
    let first_proven = all.len() - all.iter().rev().take_while(passes).count();
    let proven = &all[first_proven..];
    let tested = |chosen: usize, win_rate: Option<WinRate>, by_program: Option<WinRate>| Tested {
        adapter: checkpoints[chosen].adapter.clone(),
        win_rate,
        by_program,
        checkpoints: checkpoints.len(),
    };
    if let Some(picked) = pick(proven, &records) {
        return Some(tested(first_proven + picked, weakest(proven, false), weakest(proven, true)));
    }
    let chosen = pick(&all, &records)?;
    let halves = halves(records, seed);
    let mut outcomes: Vec<(Outcome, ScoredBy)> = Vec::new();
    for (half, other) in [(&halves.0, &halves.1), (&halves.1, &halves.0)] {
        // A half without the other to choose (a single record) is tested with what was chosen on it: nothing else is there.
        let picked = if other.is_empty() { chosen } else { pick(&all, other)? };
        outcomes.extend(half.iter().filter_map(|record| all[picked].get(record)));
    }
    Some(tested(chosen, rate_of(outcomes.iter().copied(), false), rate_of(outcomes.iter().copied(), true)))
}

/// The win rate with the lowest lower end; none where a checkpoint has none.
fn weakest(checkpoints: &[Outcomes<'_>], programs_only: bool) -> Option<WinRate> {
    let rates: Option<Vec<WinRate>> =
        checkpoints.iter().map(|c| rate_of(c.values().copied(), programs_only)).collect();
    rates?.into_iter().min_by(|a, b| a.low.total_cmp(&b.low))
}

/// None where no outcome is known.
fn rate_of(outcomes: impl Iterator<Item = (Outcome, ScoredBy)>, programs_only: bool) -> Option<WinRate> {
    let counted = outcomes.filter(|o| !programs_only || o.1 == ScoredBy::Program);
    Some(win_rate(&counted.map(|o| o.0).collect::<Vec<_>>())).filter(|rate| rate.known() > 0)
}

/// The records in two halves, shuffled with `seed`.
fn halves(mut records: Vec<&str>, seed: u64) -> (Vec<&str>, Vec<&str>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for i in (1..records.len()).rev() {
        records.swap(i, below(&mut rng, i + 1));
    }
    let second = records.split_off(records.len().div_ceil(2));
    (records, second)
}

/// The checkpoint with the highest win rate on `records`, half the mean of its neighbours' added; of equals the middle one (of two
/// the later), which is farthest from having learnt too little or too much. The last of all where no outcome is known. `None`
/// without checkpoints.
fn pick(checkpoints: &[Outcomes<'_>], records: &[&str]) -> Option<usize> {
    let rate =
        |c: &Outcomes<'_>| Some(rate_of(records.iter().filter_map(|r| c.get(r).copied()), false)?.rate);
    let rates: Vec<Option<f64>> = checkpoints.iter().map(rate).collect();
    let at = |i: Option<usize>| rates.get(i?).copied().flatten();
    let score = |i: usize| {
        let beside: Vec<f64> = [i.checked_sub(1), Some(i + 1)].into_iter().filter_map(at).collect();
        let mean = beside.iter().sum::<f64>() / beside.len().max(1) as f64;
        Some((i, at(Some(i))? + mean / 2.0))
    };
    let scores: Vec<(usize, f64)> = (0..rates.len()).filter_map(score).collect();
    let best = scores.iter().map(|s| s.1).fold(f64::MIN, f64::max);
    let equals: Vec<usize> = scores.iter().filter(|s| s.1 > best - 1e-9).map(|s| s.0).collect();
    equals.get(equals.len() / 2).copied().or(checkpoints.len().checked_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(name: &str, outcomes: &[Outcome], by: ScoredBy) -> Vec<Verdict> {
        let verdict = |(i, outcome): (usize, &Outcome)| Verdict {
            cluster: 0,
            adapter: name.into(),
            epoch: 1,
            record: format!("r{i:03}"),
            outcome: *outcome,
            scored_by: by,
            guard: None,
            base_score: None,
            score: None,
            bleu: 0.0,
            base_answer: String::new(),
            answer: String::new(),
        };
        outcomes.iter().enumerate().map(verdict).collect()
    }

    fn judged(all: &[Vec<Verdict>]) -> Vec<Judged<'_>> {
        all.iter()
            .enumerate()
            .map(|(i, v)| Judged {
                adapter: AdapterRef { name: format!("e{i}"), dir: String::new() },
                verdicts: v.iter().collect(),
            })
            .collect()
    }

    #[test]
    fn one_checkpoint_counts_every_record_once() {
        use Outcome::{Loss, Tie, Win};
        let all = [verdicts("a", &[Win, Win, Tie, Loss, Win], ScoredBy::Program)];
        let tested = confirmed(&judged(&all), false, 1).unwrap();
        let w = tested.win_rate.unwrap();
        assert_eq!((w.wins, w.ties, w.losses, tested.by_program), (3, 1, 1, Some(w)));
        assert_eq!(confirmed(&[], true, 1), None);
    }

    #[test]
    fn without_a_trusted_judge_its_verdicts_do_not_count() {
        let all = [verdicts("a", &[Outcome::Win; 9], ScoredBy::Judge)];
        let (yes, no) =
            (confirmed(&judged(&all), true, 1).unwrap(), confirmed(&judged(&all), false, 1).unwrap());
        assert_eq!((yes.win_rate.unwrap().wins, yes.by_program), (9, None));
        assert_eq!((no.win_rate, no.by_program), (None, None));
        let mixed = [verdicts("a", &[Outcome::Win; 9], ScoredBy::Both)];
        assert_eq!(confirmed(&judged(&mixed), false, 1).unwrap().win_rate, None);
    }

    #[test]
    fn the_best_checkpoint_is_chosen_and_of_level_ones_the_one_among_good_neighbours() {
        let of = |wins: usize| {
            let mut o = vec![Outcome::Win; wins];
            o.resize(20, Outcome::Loss);
            verdicts("x", &o, ScoredBy::Program)
        };
        let chosen = |all: &[Vec<Verdict>]| confirmed(&judged(all), true, 1).unwrap().adapter.name;
        assert_eq!(chosen(&[of(19), of(6), of(2)]), "e0");
        assert_eq!(chosen(&[of(12), of(18), of(19)]), "e2");
        assert_eq!(chosen(&[of(16), of(18), of(15)]), "e1");
        assert_eq!(chosen(&[of(17), of(17), of(17)]), "e1");
        assert_eq!(chosen(&[of(17), of(17)]), "e1");
        assert_eq!(highest(&judged(&[of(17), of(18), of(17)])).unwrap().adapter.name, "e1");
    }

    #[test]
    fn of_the_checkpoints_that_pass_from_the_last_backwards_the_weakest_is_the_evidence() {
        let of = |lost: usize| {
            let mut o = vec![Outcome::Win; 10];
            o[lost] = Outcome::Loss;
            verdicts("x", &o, ScoredBy::Program)
        };
        // Each half would pick the checkpoint that loses in the other.
        for seed in 0..20 {
            let tested = confirmed(&judged(&[of(1), of(7), of(4)]), true, seed).unwrap();
            let w = tested.win_rate.unwrap();
            assert_eq!((w.wins, w.losses, tested.by_program), (9, 1, Some(w)));
        }
        // An early checkpoint that is no good is neither picked nor evidence.
        let bad = verdicts("x", &[Outcome::Loss; 10], ScoredBy::Program);
        let tested = confirmed(&judged(&[of(1), bad, of(7), of(4)]), true, 3).unwrap();
        assert_eq!((tested.win_rate.unwrap().wins, tested.checkpoints), (9, 4));
        assert!(["e2", "e3"].contains(&tested.adapter.name.as_str()));
    }

    /// Of a thousand clusters with ten held-out records, how many pass. Checkpoints win `percent` of them; seven of ten outcomes
    /// they share, the better checkpoint winning what the worse one wins.
    fn promoted(percent: &[usize]) -> usize {
        let options = crate::plan::PlanOptions::default();
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut passes = || {
            let shared: Vec<usize> = (0..10).map(|_| below(&mut rng, 100)).collect();
            let mut outcome = |drawn: usize, percent: usize| {
                let own = below(&mut rng, 100);
                let drawn = if below(&mut rng, 10) < 7 { drawn } else { own };
                if drawn < percent { Outcome::Win } else { Outcome::Loss }
            };
            let mut checkpoint =
                |percent: usize| shared.iter().map(|drawn| outcome(*drawn, percent)).collect::<Vec<_>>();
            let all: Vec<Vec<Verdict>> =
                percent.iter().map(|p| verdicts("x", &checkpoint(*p), ScoredBy::Program)).collect();
            crate::plan::passes(&confirmed(&judged(&all), true, 3).unwrap(), &options)
        };
        (0..1000).filter(|_| passes()).count()
    }

    #[test]
    fn what_was_learnt_is_promoted_whether_or_not_later_epochs_spoil_it() {
        let (spoiled, better, level) =
            (promoted(&[85, 90, 78, 72]), promoted(&[50, 75, 88, 92]), promoted(&[87; 4]));
        assert!(spoiled > 500 && better > 750 && level > 667, "{spoiled} {better} {level} of 1000");
        assert!(promoted(&[50; 4]) < 40, "{}", promoted(&[50; 4]));
    }

    /// Eight checkpoints that are as good as the base and share 60 % of their outcomes, ten held-out records.
    #[test]
    fn the_luckiest_of_many_is_seldom_promoted() {
        let options = crate::plan::PlanOptions::default();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut naive, mut honest, trials) = (0, 0, 1000);
        for _ in 0..trials {
            let mut coin = |heads: usize| below(&mut rng, 10) < heads;
            let shared: Vec<bool> = (0..20).map(|_| coin(5)).collect();
            let all: Vec<Vec<Verdict>> = (0..8)
                .map(|_| {
                    let outcome = |s: &bool| if coin(6) { *s } else { coin(5) };
                    let outcomes: Vec<Outcome> = shared
                        .iter()
                        .map(outcome)
                        .map(|w| if w { Outcome::Win } else { Outcome::Loss })
                        .collect();
                    verdicts("x", &outcomes, ScoredBy::Program)
                })
                .collect();
            let judged = judged(&all);
            let passes = |t: Option<Tested>| crate::plan::passes(&t.unwrap(), &options);
            naive += usize::from(passes(highest(&judged)));
            honest += usize::from(passes(confirmed(&judged, true, 3)));
        }
        assert!(naive > 100, "{naive} of {trials}");
        // Two tests, each of which one in forty passes by luck.
        assert!(honest < 60, "{honest} of {trials}");
    }
}
