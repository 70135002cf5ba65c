//! Begins, watches and ends trials.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uno_store::live::{ArmCount, open};

use super::{Arm, Decided, RolloutOptions, Trial, Verdict, judge};
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
            gateway.plans.set_trial(Some((snapshot.clone(), options.share)));
            return true;
        }
        // Whatever else was on trial, somebody put this plan in its place.
        self.end(gateway, Verdict::Overtaken, Arm::default(), Arm::default());
        let before = gateway.plans.current().map(|s| s.id.to_string());
        let Some(before) =
            before.filter(|before| *before != id && options.share > 0.0 && source.is_learned(&id))
        else {
            return false;
        };
        let trial = Trial { plan: before, trial: id, since: now() };
        self.tell(source, &trial, Verdict::Begun, Arm::default(), Arm::default());
        source.keep_trial(Some(&trial));
        self.now = Some(trial);
        gateway.plans.set_trial(Some((snapshot.clone(), options.share)));
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
        let (on_trial, in_force) = (arm(&counts, &trial.trial), arm(&counts, &trial.plan));
        let hours = (now() - trial.since) as f64 / 3_600_000.0;
        match judge(options, on_trial, in_force, hours) {
            Verdict::TakenOver => {
                if let Some((snapshot, _)) = gateway.plans.trial() {
                    gateway.plans.set_current(Some(snapshot.as_ref().clone()));
                }
                self.end(gateway, Verdict::TakenOver, on_trial, in_force);
            }
            verdict @ (Verdict::Worse | Verdict::Undecided) => {
                let why = why(options, verdict, on_trial, in_force);
                if let Err(error) = gateway.source.withdraw(&trial.trial, &trial.plan, &why) {
                    // The gateway itself goes back all the same.
                    tracing::error!("plan.json still names {}: {error}", trial.trial);
                }
                self.end(gateway, verdict, on_trial, in_force);
            }
            Verdict::Begun | Verdict::Going | Verdict::Overtaken => {}
        }
    }

    fn end(&mut self, gateway: &Gateway, verdict: Verdict, on_trial: Arm, in_force: Arm) {
        gateway.plans.set_trial(None);
        if let Some(trial) = self.now.take() {
            self.tell(gateway.source.as_ref(), &trial, verdict, on_trial, in_force);
            gateway.source.keep_trial(None);
        }
    }

    fn tell(&self, source: &dyn PlanSource, trial: &Trial, verdict: Verdict, on_trial: Arm, in_force: Arm) {
        tracing::info!(?verdict, trial = trial.trial, plan = trial.plan, "trial");
        source.audit(&Decided {
            time: jiff::Timestamp::now().to_string(),
            trial: trial.clone(),
            verdict,
            plan_requests: in_force.n,
            plan_complaints: in_force.bad,
            trial_requests: on_trial.n,
            trial_complaints: on_trial.bad,
        });
    }
}

/// Requests and complaints under a plan; a stream that was left counts as a complaint.
fn arm(counts: &[ArmCount], plan: &str) -> Arm {
    counts.iter().filter(|c| c.plan == plan).fold(Arm::default(), |arm, c| Arm {
        n: arm.n + c.requests,
        bad: arm.bad + (c.complaints + c.abandoned).min(c.requests),
    })
}

fn why(options: &RolloutOptions, verdict: Verdict, on_trial: Arm, in_force: Arm) -> String {
    let told = format!(
        "{} complaints about {} answers on trial, {} about {} of the plan in force",
        on_trial.bad, on_trial.n, in_force.bad, in_force.n
    );
    match verdict {
        Verdict::Worse => format!("surely worse on trial: {told}"),
        _ => format!("undecided after {} h on trial: {told}", options.max_hours),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
