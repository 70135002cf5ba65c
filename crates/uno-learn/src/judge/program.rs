//! Scores that need no model.

use uno_types::Rule;

use crate::check;

/// What programs found about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramScore {
    /// Rules that hold.
    pub held: usize,
    /// Rules that a program checked.
    pub checked: usize,
    /// Rules that no program can check.
    pub open: usize,
}

impl ProgramScore {
    /// 1 + 9 × the share of checked rules that hold.
    pub fn value(&self) -> f64 {
        1.0 + 9.0 * self.held as f64 / self.checked.max(1) as f64
    }

    /// Every rule was checked and holds.
    pub fn obeys_all(&self) -> bool {
        self.open == 0 && self.held == self.checked
    }
}

/// Runs the checks of `rules`; `None` when none of them has one.
pub fn program_score(rules: &[Rule], answer: &str) -> Option<ProgramScore> {
    let checks: Vec<_> = rules.iter().filter_map(|r| r.check.as_ref()).collect();
    let held = checks.iter().filter(|c| check::holds(c, answer)).count();
    let checked = checks.len();
    (checked > 0).then_some(ProgramScore { held, checked, open: rules.len() - checked })
}
