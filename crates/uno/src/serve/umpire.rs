//! Compares answers of a trial as verification does: programs score the rules that they can check, the judge the others.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use uno_learn::check::compile;
use uno_learn::judge::{Item, JudgeReport, Score, judge};
use uno_learn::support::Support;
use uno_learn::verify::by_score;
use uno_serve::rollout::{Comparison, Umpire};
use uno_store::RunDir;
use uno_types::{Lang, Outcome, Role, Rule, ScoredBy};

use crate::config::Settings;
use crate::learn::artefacts::files;
use crate::learn::evolve::newest_with;
use crate::roles::Roles;

/// Most rules of a cluster that an answer is scored by: those that most users gave.
const RULES: usize = 5;

/// The judge of a run. Its model is opened for the first comparison.
pub struct RunUmpire {
    root: PathBuf,
    settings: Settings,
    roles: Mutex<Option<Roles>>,
}

impl RunUmpire {
    /// The judge that the settings name.
    pub fn new(root: &Path, settings: &Settings) -> Self {
        Self { root: root.to_path_buf(), settings: settings.clone(), roles: Mutex::default() }
    }

    /// Scores of both answers by the cluster's rules; `Unknown` where it has none that its users share.
    fn scores(&self, comparison: &Comparison) -> anyhow::Result<Outcome> {
        let run = RunDir::open_existing(&self.root)?;
        let step = newest_with(&run, files::SUPPORT)?;
        let newest = step.as_ref().unwrap_or(&run);
        let rules = comparison.cluster.map_or_else(|| Ok(Vec::new()), |cluster| rules(newest, cluster))?;
        if rules.is_empty() {
            return Ok(Outcome::Unknown);
        }
        let last = comparison.messages.iter().rev().find(|m| m.role == Role::User);
        let lang = Lang::detect(last.map_or("", |m| &m.content));
        let items = [&comparison.plan, &comparison.trial].map(|answer| Item {
            lang,
            prompt: &comparison.messages,
            rules: &rules,
            answer,
        });
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let roles = match roles.as_mut() {
            Some(roles) => roles,
            None => roles.insert(Roles::uncached(&self.settings, &run)?),
        };
        let scores = judge(&items, roles.judge(), &self.settings.verify.judge, &mut |_, _| {})?;
        // As in verification: a judge that is no better than chance decides nothing, programs still do.
        let report: Option<JudgeReport> = newest.read_json(files::JUDGE).ok();
        let trusted = report.is_some_and(|report| report.trusted);
        let counts = |score: &Option<Score>| score.filter(|s| trusted || s.by == ScoredBy::Program);
        Ok(match &scores[..] {
            [plan, trial] => by_score(counts(plan), counts(trial)),
            _ => Outcome::Unknown,
        })
    }
}

impl Umpire for RunUmpire {
    fn compare(&self, comparison: &Comparison) -> Result<Outcome, String> {
        self.scores(comparison).map_err(|error| format!("{error:#}"))
    }
}

fn rules(run: &RunDir, cluster: usize) -> anyhow::Result<Vec<Rule>> {
    let all: Vec<Support> = run.read_json(files::SUPPORT)?;
    let shared = all.into_iter().filter(|s| s.cluster == cluster).flat_map(|s| s.rules);
    let rules = shared.filter(|rule| rule.supported).take(RULES).map(|rule| Rule {
        check: compile(&rule.rule).map(|compiled| compiled.check),
        text: rule.rule,
        ..Rule::default()
    });
    Ok(rules.collect())
}
