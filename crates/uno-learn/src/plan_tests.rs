use proptest::prelude::*;
use uno_types::Outcome;

use super::*;
use crate::stats::win_rate;

fn tested(name: &str, wins: usize, ties: usize, losses: usize, programs_only: bool) -> Tested {
    let mut outcomes = vec![Outcome::Win; wins];
    outcomes.extend(vec![Outcome::Tie; ties]);
    outcomes.extend(vec![Outcome::Loss; losses]);
    let adapter = AdapterRef { name: name.into(), dir: format!("adapters/{name}") };
    let rate = win_rate(&outcomes);
    Tested { adapter, win_rate: Some(rate), by_program: programs_only.then_some(rate), checkpoints: 1 }
}

fn evidence(gap: Option<f64>, expert: Option<Tested>, critic: Option<Tested>) -> Evidence {
    Evidence { cluster: 1, size: 9, gap, expert, critic }
}

fn path(evidence: &Evidence, policy: Policy, variant: Variant) -> Path {
    decide(evidence, &PlanOptions { policy, variant, ..PlanOptions::default() }).path
}

#[test]
fn the_paper_s_rule() {
    use Policy::Paper;
    use Variant::{Uno, UnoSingle};
    let good = || Some(tested("e", 6, 0, 5, false));
    let bad = || Some(tested("e", 5, 0, 5, false));
    let critic = || Some(Tested { win_rate: None, ..tested("c", 0, 0, 0, false) });
    let low = |e, c| evidence(Some(0.44), e, c);
    let high = |e, c| evidence(Some(0.45), e, c);
    assert_eq!(path(&low(good(), critic()), Paper, Uno), Path::Expert);
    assert_eq!(path(&low(bad(), critic()), Paper, Uno), Path::Critic);
    assert_eq!(path(&low(bad(), None), Paper, Uno), Path::Base);
    assert_eq!(path(&high(good(), critic()), Paper, Uno), Path::Critic);
    assert_eq!(path(&high(good(), None), Paper, Uno), Path::Base);
    assert_eq!(path(&low(good(), critic()), Paper, UnoSingle), Path::Expert);
    assert_eq!(path(&high(good(), critic()), Paper, UnoSingle), Path::Base);
    assert_eq!(path(&low(bad(), critic()), Paper, UnoSingle), Path::Base);
}

#[test]
fn by_default_nothing_unverified_answers() {
    use Policy::Verified;
    use Variant::{Uno, UnoSingle};
    let unsure = || Some(tested("e", 6, 0, 5, false));
    let sure = || Some(tested("e", 20, 0, 2, false));
    let exact = |wins, losses| Some(tested("e", wins, 1, losses, true));
    let unverified = Some(Tested { win_rate: None, ..tested("c", 0, 0, 0, false) });
    assert_eq!(path(&evidence(Some(0.2), unsure(), unverified), Verified, Uno), Path::Base);
    assert_eq!(path(&evidence(Some(0.2), sure(), None), Verified, Uno), Path::Expert);
    // The tie decides nothing, but it is a record on which the adapter is not worse: four wins beside it are enough, three are not.
    assert_eq!(path(&evidence(Some(0.2), exact(7, 0), None), Verified, UnoSingle), Path::Expert);
    assert_eq!(path(&evidence(Some(0.2), exact(4, 0), None), Verified, UnoSingle), Path::Expert);
    assert_eq!(path(&evidence(Some(0.2), exact(3, 0), None), Verified, Uno), Path::Base);
    // Four wins of four: an interval above one half, but too few records.
    let four = Some(tested("e", 4, 0, 0, true));
    let entry = decide(&evidence(Some(0.2), four, None), &PlanOptions::default());
    assert!(entry.path == Path::Base && entry.reason.contains("too little evidence"), "{}", entry.reason);
    assert_eq!(path(&evidence(Some(0.2), exact(3, 2), None), Verified, Uno), Path::Base);
    // High gap: only an expert that programs have proven, which answers in one generation; else the critic.
    let critic = || Some(tested("c", 12, 0, 1, false));
    assert_eq!(path(&evidence(Some(0.9), exact(20, 0), critic()), Verified, Uno), Path::Expert);
    assert_eq!(path(&evidence(Some(0.9), exact(20, 0), None), Verified, UnoSingle), Path::Expert);
    assert_eq!(path(&evidence(Some(0.9), sure(), critic()), Verified, Uno), Path::Critic);
    assert_eq!(path(&evidence(Some(0.9), sure(), unsure()), Verified, Uno), Path::Base);
    assert_eq!(path(&evidence(Some(0.9), exact(3, 0), None), Verified, Uno), Path::Base);
    // Programs scored too few of its records.
    let few = Tested { by_program: Some(win_rate(&[Outcome::Win; 3])), ..tested("e", 20, 0, 2, false) };
    assert_eq!(path(&evidence(Some(0.9), Some(few), None), Verified, Uno), Path::Base);
    assert_eq!(path(&evidence(None, sure(), None), Verified, Uno), Path::Base);
    assert_eq!(path(&Evidence::default(), Verified, Uno), Path::Base);
}

#[test]
fn reasons_hold_the_figures() {
    let options = PlanOptions::default();
    let entry = decide(&evidence(Some(0.21), Some(tested("e", 9, 1, 0, true)), None), &options);
    assert_eq!(
        entry.reason,
        "The gap 0.21 is low (below 0.45). The expert won 95 % of 10 held-out records against the base model \
         (interval 68 % to 95 %, scored by programs)."
    );
    assert_eq!(entry.adapter.unwrap().name, "e");
    let entry = decide(&evidence(Some(0.21), Some(tested("e", 1, 0, 1, false)), None), &options);
    assert_eq!(
        entry.reason,
        "The gap 0.21 is low (below 0.45). The expert won 50 % of 2 held-out records against the base model \
         (interval 9 % to 91 %): too little evidence. No critic was trained. The base model answers."
    );
    assert_eq!((entry.adapter, entry.win_rate.unwrap().wins), (None, 1));
}

fn any_tested() -> impl Strategy<Value = Option<Tested>> {
    let counts = (0usize..12, 0usize..4, 0usize..12, any::<bool>(), any::<bool>());
    prop::option::of(counts.prop_map(|(wins, ties, losses, programs, verified)| {
        let mut t = tested("x", wins, ties, losses, programs);
        t.win_rate = t.win_rate.filter(|_| verified);
        t.by_program = t.by_program.filter(|_| verified);
        t
    }))
}

fn any_options() -> impl Strategy<Value = PlanOptions> {
    (0usize..3, any::<bool>(), 0usize..3).prop_map(|(policy, single, gate)| PlanOptions {
        policy: [Policy::Verified, Policy::Paper, Policy::Unverified][policy],
        variant: if single { Variant::UnoSingle } else { Variant::Uno },
        gate: [Gate::Gap, Gate::Expert, Gate::Critic][gate],
        ..PlanOptions::default()
    })
}

proptest! {
    #[test]
    fn decisions_are_sound(
        gap in prop::option::of(0f64..1.0),
        expert in any_tested(),
        critic in any_tested(),
        options in any_options(),
    ) {
        let e = evidence(gap, expert, critic);
        let entry = decide(&e, &options);
        prop_assert_eq!(entry.adapter.is_some(), entry.path != Path::Base);
        prop_assert!(!entry.reason.is_empty() && entry.reason.ends_with('.'));
        if options.variant == Variant::UnoSingle {
            prop_assert!(entry.path != Path::Critic);
        }
        if options.policy == Policy::Verified && entry.path != Path::Base {
            prop_assert!(entry.win_rate.is_some_and(|w| w.rate >= 0.53 && w.low > 0.5 && w.known() >= 5));
        }
        // What is chosen is something that `needs` would have trained.
        let programs = e.expert.as_ref().and_then(|t| t.by_program);
        let needs = needs(gap, programs.map_or(0, |p| p.known()), &options);
        match entry.path {
            Path::Expert => prop_assert!(needs.expert != Train::Never),
            Path::Critic => prop_assert!(needs.critic != Train::Never),
            Path::Base => {}
        }
        match options.gate {
            Gate::Gap => {}
            Gate::Expert => prop_assert!(entry.path != Path::Critic && needs.critic == Train::Never),
            Gate::Critic => prop_assert!(entry.path != Path::Expert && needs.expert == Train::Never),
        }
    }
}

#[test]
fn gates_and_unverified_are_ablations() {
    let unproven = || Some(Tested { win_rate: None, ..tested("x", 0, 0, 0, false) });
    let decided = |gap, policy, gate| {
        let options = PlanOptions { policy, gate, ..PlanOptions::default() };
        decide(&evidence(gap, unproven(), unproven()), &options).path
    };
    assert_eq!(decided(Some(0.2), Policy::Unverified, Gate::Gap), Path::Expert);
    assert_eq!(decided(Some(0.9), Policy::Unverified, Gate::Gap), Path::Critic);
    assert_eq!(decided(Some(0.9), Policy::Unverified, Gate::Expert), Path::Expert);
    assert_eq!(decided(Some(0.2), Policy::Unverified, Gate::Critic), Path::Critic);
    assert_eq!(decided(Some(0.2), Policy::Verified, Gate::Expert), Path::Base);
    let options = PlanOptions { gate: Gate::Expert, ..PlanOptions::default() };
    let sure = decide(&evidence(Some(0.9), Some(tested("e", 20, 0, 2, false)), None), &options);
    assert_eq!(sure.path, Path::Expert, "{}", sure.reason);
    assert_eq!(needs(Some(0.9), 0, &options), Needs { expert: Train::Now, critic: Train::Never });
}
