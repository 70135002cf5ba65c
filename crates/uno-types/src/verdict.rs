//! What verification found (METHOD §6).

use serde::{Deserialize, Serialize};

/// Who gave a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoredBy {
    /// Every rule could be checked by a program.
    Program,
    /// The judge alone.
    Judge,
    /// Some rules by a program, the rest by the judge.
    Both,
}

/// The adapter's answer against the base answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Better.
    Win,
    /// Level.
    Tie,
    /// Worse.
    Loss,
    /// No score could be had; never counted as zero.
    Unknown,
}

/// Why a higher score did not count as a win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Shorter than the allowed share of the base answer.
    TooShort,
    /// Sentence-BLEU against the base answer at or below the floor: collapsed.
    Collapsed,
    /// Repeats itself.
    Repetitive,
    /// Holds a tag of our own prompts that the base answer does not hold: the user would read the workshop, not the answer.
    Leaked,
    /// Its embedding lies too far from the question's.
    OffTopic,
}

/// One held-out record, one checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The cluster.
    pub cluster: usize,
    /// Checkpoint's adapter name.
    pub adapter: String,
    /// Epoch of the checkpoint, from 1.
    pub epoch: usize,
    /// The held-out record.
    pub record: String,
    /// The result.
    pub outcome: Outcome,
    /// Who scored.
    pub scored_by: ScoredBy,
    /// The guard that turned a win down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Mean score of the base answer, 1 to 10.
    pub base_score: Option<f64>,
    /// Mean score of the adapter's answer, 1 to 10.
    pub score: Option<f64>,
    /// Sentence-BLEU-4 of the answer against the base answer.
    pub bleu: f64,
    /// The base answer.
    pub base_answer: String,
    /// The adapter's answer.
    pub answer: String,
}

/// Wins and half the ties over all records with a known outcome, with a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WinRate {
    /// Wins.
    pub wins: usize,
    /// Ties.
    pub ties: usize,
    /// Losses.
    pub losses: usize,
    /// Records without a known outcome; not in `rate`.
    pub unknown: usize,
    /// (wins + ties / 2) / (wins + ties + losses); 0 when nothing is known.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl WinRate {
    /// Records with a known outcome.
    pub fn known(&self) -> usize {
        self.wins + self.ties + self.losses
    }

    /// Whether the whole interval lies above one half: it wins more than chance would.
    pub fn is_above_half(&self) -> bool {
        self.low > 0.5
    }
}
