//! Who answers for a cluster, and why (METHOD §7); what to train so that somebody can.

use serde::{Deserialize, Serialize};
use uno_types::{AdapterRef, Path, PlanEntry, WinRate};

use crate::gap::{HIGH_GAP, is_high};

/// How much proof an adapter needs before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Nothing answers that was not verified, and a win rate counts only as far as its interval goes. See [`passes`].
    #[default]
    Verified,
    /// As published: gap below the threshold and win rate at or above the threshold → expert; otherwise the critic,
    /// verified or not; otherwise base.
    Paper,
    /// An ablation: nothing is verified. What was trained answers, the Expert where the gap is low, else the Critic.
    Unverified,
}

/// Who decides between Expert and Critic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The gap (the method).
    #[default]
    Gap,
    /// An ablation: every cluster gets an Expert, none a Critic.
    Expert,
    /// An ablation: every cluster gets a Critic, none an Expert.
    Critic,
}

/// Which paths may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Expert, critic and base.
    #[default]
    Uno,
    /// Expert and base only: one generation per answer.
    UnoSingle,
}

/// Thresholds of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanOptions {
    /// How much proof is needed.
    pub policy: Policy,
    /// Which paths may be used.
    pub variant: Variant,
    /// Who decides between Expert and Critic.
    pub gate: Gate,
    /// A gap at or above this is high.
    pub gap_threshold: f64,
    /// Smallest win rate of an adapter that answers.
    pub min_win_rate: f64,
    // Runs of earlier versions know it by another name.
    /// Fewest held-out records with a verdict that counts for an adapter to answer; with fewer the cluster keeps the base.
    /// For a high gap as many must have been scored by programs alone.
    #[serde(alias = "min_program_n")]
    pub min_evidence: usize,
}

impl Default for PlanOptions {
    /// 0.45 and 0.53 as published; 5 records.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            variant: Variant::default(),
            gate: Gate::default(),
            gap_threshold: HIGH_GAP,
            min_win_rate: 0.53,
            min_evidence: 5,
        }
    }
}

/// A trained adapter and what verification found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The adapter (its best checkpoint).
    pub adapter: AdapterRef,
    /// Win rate over the verdicts that count; absent when it was not verified. See [`crate::verify::confirmed`].
    pub win_rate: Option<WinRate>,
    /// The same over the records that programs alone scored, where there are any: no judge's noise is in it.
    pub by_program: Option<WinRate>,
    /// Of how many checkpoints it is the best.
    pub checkpoints: usize,
}

/// All that is known about a cluster when its path is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The cluster.
    pub cluster: usize,
    /// Records in it.
    pub size: usize,
    /// Cognitive gap; absent when no record has both rule lists. It then counts as high.
    pub gap: Option<f64>,
    /// The expert, if one was trained.
    pub expert: Option<Tested>,
    /// The critic, if one was trained.
    pub critic: Option<Tested>,
}

/// Whether an adapter's win rate is proof enough under [`Policy::Verified`]: enough records, at least the smallest win
/// rate, and an interval that lies above one half as a whole.
pub fn passes(tested: &Tested, options: &PlanOptions) -> bool {
    let enough = |w: WinRate| w.known() >= options.min_evidence.max(1) && w.is_above_half();
    tested.win_rate.is_some_and(|w| enough(w) && w.rate >= options.min_win_rate)
}

/// Whether an expert may answer for a high-gap cluster: programs scored it, and their whole interval lies above one
/// half. What it learnt then does what users asked for on questions it has not seen, which noise does not.
pub fn passes_despite_gap(tested: &Tested, options: &PlanOptions) -> bool {
    let proven = |p: WinRate| p.known() >= options.min_evidence.max(1) && p.is_above_half();
    passes(tested, options) && tested.by_program.is_some_and(proven)
}

/// Whether a verified expert answers for a cluster with this gap, so that no critic is needed.
pub fn expert_answers(tested: &Tested, gap: Option<f64>, options: &PlanOptions) -> bool {
    if options.gate == Gate::Critic {
        return false;
    }
    let high = counts_as_high(gap, options);
    match (options.policy, high) {
        (Policy::Paper, _) => !high && tested.win_rate.is_some_and(|w| w.rate >= options.min_win_rate),
        (Policy::Unverified, _) => !high,
        (Policy::Verified, false) => passes(tested, options),
        (Policy::Verified, true) => passes_despite_gap(tested, options),
    }
}

/// Whether a cluster is one for Critics. A gap that could not be measured counts as high.
fn counts_as_high(gap: Option<f64>, options: &PlanOptions) -> bool {
    match options.gate {
        Gate::Gap => gap.is_none_or(|gap| is_high(gap, options.gap_threshold)),
        Gate::Expert => false,
        Gate::Critic => true,
    }
}

const DESPITE: &str =
    ": programs scored it and their whole interval lies above one half, so it answers despite the gap";

/// Chooses the path of one cluster and says why.
pub fn decide(evidence: &Evidence, options: &PlanOptions) -> PlanEntry {
    let high = counts_as_high(evidence.gap, options);
    let expert = evidence.expert.as_ref().filter(|e| expert_answers(e, evidence.gap, options));
    let critic = evidence.critic.as_ref().filter(|c| {
        let proven = options.policy != Policy::Verified || passes(c, options);
        options.variant == Variant::Uno && options.gate != Gate::Expert && proven
    });

    let gap = gap_words(evidence.gap, high, options);
    let why = expert_words(evidence, high, options);
    let (path, chosen, reason) = if let Some(expert) = expert {
        let despite = if high { DESPITE } else { "" };
        (Path::Expert, Some(expert), format!("{gap} The expert {}{despite}.", result_words(expert)))
    } else if let Some(critic) = critic {
        (Path::Critic, Some(critic), format!("{gap} {why}The critic {}.", result_words(critic)))
    } else {
        let wanted = options.variant == Variant::Uno && options.gate != Gate::Expert;
        let critic = if wanted { critic_words(evidence) } else { String::new() };
        (Path::Base, None, format!("{gap} {why}{critic}The base model answers."))
    };
    PlanEntry {
        cluster: evidence.cluster,
        size: evidence.size,
        path,
        adapter: chosen.map(|t| t.adapter.clone()),
        gap: evidence.gap,
        // Without a chosen adapter, the figure that was not good enough.
        win_rate: match chosen {
            Some(tested) => tested.win_rate,
            None => [&evidence.expert, &evidence.critic].into_iter().flatten().find_map(|t| t.win_rate),
        },
        reason,
    }
}

fn gap_words(gap: Option<f64>, high: bool, options: &PlanOptions) -> String {
    match options.gate {
        Gate::Gap => {}
        Gate::Expert => return "The gap is not asked: every cluster gets an expert.".to_owned(),
        Gate::Critic => return "The gap is not asked: every cluster gets a critic.".to_owned(),
    }
    match gap {
        None => "The gap could not be measured and counts as high.".to_owned(),
        Some(gap) if high => format!("The gap {gap:.2} is high (at least {:.2}).", options.gap_threshold),
        Some(gap) => format!("The gap {gap:.2} is low (below {:.2}).", options.gap_threshold),
    }
}

/// "beat the base answer in 80 % of 5 held-out records (interval 44 % to 96 %, scored by programs)".
fn result_words(tested: &Tested) -> String {
    let Some(w) = tested.win_rate else { return "was not verified".to_owned() };
    let n = w.known();
    if n == 0 {
        return "has no known verdict".to_owned();
    }
    let by = match tested.by_program.map_or(0, |p| p.known()) {
        0 => String::new(),
        k if k == n => ", scored by programs".to_owned(),
        k => format!(", {k} of them scored by programs"),
    };
    let noun = if n == 1 { "record" } else { "records" };
    let chosen = match tested.checkpoints {
        0 | 1 => String::new(),
        k => format!(", best of {k} checkpoints"),
    };
    format!(
        "won {:.0} % of {n} held-out {noun} against the base model (interval {:.0} % to {:.0} %{by}{chosen})",
        w.rate * 100.0,
        w.low * 100.0,
        w.high * 100.0,
    )
}

/// Why the expert does not answer. That a high gap left none to train goes without saying.
fn expert_words(evidence: &Evidence, high: bool, options: &PlanOptions) -> String {
    match &evidence.expert {
        Some(expert) if too_few(expert, options) => {
            format!("The expert {}: too little evidence. ", result_words(expert))
        }
        None if high => String::new(),
        None => "No expert was trained. ".to_owned(),
        Some(expert) if high && passes(expert, options) => {
            format!("The expert {}: not enough for a high gap. ", result_words(expert))
        }
        Some(expert) => format!("The expert {}: not enough. ", result_words(expert)),
    }
}

/// Whether the records are too few to say anything.
fn too_few(tested: &Tested, options: &PlanOptions) -> bool {
    options.policy == Policy::Verified && tested.win_rate.map_or(0, |w| w.known()) < options.min_evidence
}

fn critic_words(evidence: &Evidence) -> String {
    match &evidence.critic {
        None => "No critic was trained. ".to_owned(),
        Some(critic) => format!("The critic {}: not enough. ", result_words(critic)),
    }
}

/// Whether and when to train an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Train {
    /// It is the cluster's first choice.
    Now,
    /// Only when the expert may not answer.
    IfExpertFails,
    /// No plan could use it.
    Never,
}

/// What a cluster needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Needs {
    /// The expert.
    pub expert: Train,
    /// The critic.
    pub critic: Train,
}

/// What to train for a cluster with this gap, so that nothing is trained that [`decide`] could not choose.
///
/// `checkable` is the number of its held-out records that programs alone can score: only they can prove an expert of a
/// high-gap cluster. Where there are enough of them it comes first, because it answers in one generation, not three.
pub fn needs(gap: Option<f64>, checkable: usize, options: &PlanOptions) -> Needs {
    let high = counts_as_high(gap, options);
    let provable =
        options.policy == Policy::Verified && options.gate == Gate::Gap && checkable >= options.min_evidence;
    if options.gate == Gate::Expert {
        return Needs { expert: Train::Now, critic: Train::Never };
    }
    let (expert, critic) = match (high && !provable, options.variant) {
        (false, Variant::UnoSingle) => (Train::Now, Train::Never),
        (true, Variant::UnoSingle) => (Train::Never, Train::Never),
        (false, Variant::Uno) => (Train::Now, Train::IfExpertFails),
        (true, Variant::Uno) => (Train::Never, Train::Now),
    };
    Needs { expert, critic }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
