//! Begins, watches and ends trials.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uno_store::live::{now, open};

use super::{Decided, Evidence, Finding, RolloutOptions, Trial, Verdict, judge};
use crate::gateway::Gateway;
use crate::route::{PlanSource, Snapshot};

/// The trial at work. All of it blocks: it has a thread's time of the watcher.
#[derive(Default)]
pub struct Rollout {
    now: Option<Trial>,
    /// What was kept from before a restart was looked at.
    recalled: bool,
    looked: Option<Instant>,
}

impl Rollout {
    /// A plan came: whether it goes on trial instead of coming into force.
    pub fn takes(&mut self, gateway: &Gateway, snapshot: &Snapshot) -> bool {
        let (options, source) = (&gateway.options.rollout, gateway.source.as_ref());
        self.recall(gateway);
        let id = snapshot.id.to_string();
        if let Some(trial) = &self.now
            && trial.trial == id
        {
            gateway.plans.set_trial(Some((snapshot.clone(), options.shares())));
            return true;
        }
        // Whatever else was on trial, somebody put this plan in its place.
        let why = format!("somebody put plan {id} in force");
        self.end(gateway, &Finding { verdict: Verdict::Overtaken, why }, &Evidence::default());
        let before = gateway.plans.current().map(|s| s.id.to_string());
        let Some(before) =
            before.filter(|before| *before != id && options.shares().is_any() && source.is_learned(&id))
        else {
            return false;
        };
        let trial = Trial { plan: before, trial: id, since: now(), judged: Default::default() };
        let begun = Finding { verdict: Verdict::Begun, why: shares_in_words(options) };
        self.tell(source, &trial, &begun, &Evidence::default());
        source.keep_trial(Some(&trial));
        self.now = Some(trial);
        gateway.plans.set_trial(Some((snapshot.clone(), options.shares())));
        true
    }

    /// After a restart: the plan that was in force when the trial began is in force again.
    fn recall(&mut self, gateway: &Gateway) {
        if std::mem::replace(&mut self.recalled, true) || gateway.plans.current().is_some() {
            return;
        }
        let Some(trial) = gateway.source.kept_trial() else { return };
        match gateway.source.kept(&trial.plan) {
            Ok(snapshot) => {
                gateway.plans.set_current(Some(snapshot));
                gateway.judged.set(&trial.trial, trial.judged);
                self.now = Some(trial);
            }
            Err(error) => tracing::warn!("the trial is not gone on with: {error}"),
        }
    }

    /// Looks at the numbers when it is time, and ends the trial when they say so.
    pub fn look(&mut self, gateway: &Arc<Gateway>) {
        let options = &gateway.options.rollout;
        let pause = Duration::from_secs(options.look_seconds.max(1));
        let Some(trial) = self.now.clone() else { return };
        if self.looked.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.looked = Some(Instant::now());
        let counts = open(&gateway.store).and_then(|mut store| store.counts(trial.since));
        let counts = match counts {
            Ok(counts) => counts,
            Err(error) => return tracing::warn!("the trial cannot be looked at: {error}"),
        };
        let judged = gateway.judged.of(&trial.trial);
        if let Some(kept) = self.now.as_mut().filter(|kept| kept.judged != judged) {
            kept.judged = judged;
            gateway.source.keep_trial(Some(kept));
        }
        let evidence = Evidence::of(&counts, &trial.plan, &trial.trial, judged);
        let hours = (now() - trial.since) as f64 / 3_600_000.0;
        let finding = judge(options, &evidence, hours);
        match finding.verdict {
            Verdict::TakenOver => {
                if let Some((snapshot, _)) = gateway.plans.trial() {
                    gateway.plans.set_current(Some(snapshot.as_ref().clone()));
                }
                self.end(gateway, &finding, &evidence);
            }
            Verdict::Worse | Verdict::Undecided => {
                if let Err(error) = gateway.source.withdraw(&trial.trial, &trial.plan, &finding.why) {
                    // The gateway itself goes back all the same.
                    tracing::error!("plan.json still names {}: {error}", trial.trial);
                }
                self.end(gateway, &finding, &evidence);
            }
            Verdict::Begun | Verdict::Going | Verdict::Overtaken => {}
        }
    }

    fn end(&mut self, gateway: &Gateway, finding: &Finding, evidence: &Evidence) {
        gateway.plans.set_trial(None);
        if let Some(trial) = self.now.take() {
            self.tell(gateway.source.as_ref(), &trial, finding, evidence);
            gateway.source.keep_trial(None);
        }
    }

    fn tell(&self, source: &dyn PlanSource, trial: &Trial, finding: &Finding, evidence: &Evidence) {
        let Finding { verdict, why } = finding;
        tracing::info!(?verdict, trial = trial.trial, plan = trial.plan, why, "trial");
        let (on_trial, in_force) = evidence.sums();
        source.audit(&Decided {
            time: jiff::Timestamp::now().to_string(),
            trial: trial.clone(),
            verdict: *verdict,
            why: why.clone(),
            plan_requests: in_force.n,
            plan_complaints: in_force.bad,
            trial_requests: on_trial.n,
            trial_complaints: on_trial.bad,
            clusters: evidence.strata.clone(),
        });
    }
}

fn shares_in_words(options: &RolloutOptions) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let own =
        options.cluster_shares.iter().map(|c| format!(", {} in cluster {}", percent(c.share), c.cluster));
    format!("{} of the conversations{}", percent(options.share), own.collect::<String>())
}
