//! A judge looks at a sample of the answers. For each it gets what the other plan answers to the same question, generated beside the
//! clients' requests, one at a time; nobody waits for it. Questions that both plans answer in the same way say nothing and are left out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uno_store::live::{RequestRow, now, open};
use uno_types::{Message, Outcome};

use super::{Wins, shadow};
use crate::gateway::Gateway;

/// Requests are written when their answers end, which may be this long after their time, milliseconds.
const LATE: i64 = 600_000;
/// Most requests looked at in one go.
const AT_ONCE: usize = 16;

/// Two answers to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The conversation, the question last.
    pub messages: Vec<Message>,
    /// The cluster of the plan on trial.
    pub cluster: Option<usize>,
    /// What the plan on trial answers.
    pub trial: String,
    /// What the plan in force answers.
    pub plan: String,
}

/// Says which of two answers is better. Implemented by the binary, which knows models and rules.
pub trait Umpire: Send + Sync {
    /// `Win`: the trial's answer is better. `Unknown` where nobody can tell.
    ///
    /// # Errors
    /// Why the judge cannot be asked, in words.
    fn compare(&self, comparison: &Comparison) -> Result<Outcome, String>;
}

/// The verdicts on the trial that is going on.
#[derive(Default)]
pub(crate) struct Judged(Mutex<(String, Wins)>);

impl Judged {
    /// The verdicts on this trial.
    pub(crate) fn of(&self, trial: &str) -> Wins {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == trial { now.1 } else { Wins::default() }
    }

    /// Goes on from these.
    pub(crate) fn set(&self, trial: &str, wins: Wins) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (trial.to_owned(), wins);
    }

    fn add(&self, trial: &str, outcome: Outcome) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 != trial {
            *now = (trial.to_owned(), Wins::default());
        }
        match outcome {
            Outcome::Win => now.1.wins += 1,
            Outcome::Loss => now.1.losses += 1,
            Outcome::Tie => now.1.ties += 1,
            Outcome::Unknown => {}
        }
    }
}

/// Runs until the gateway ends.
pub(crate) async fn run(gateway: Arc<Gateway>) {
    let options = &gateway.options.rollout;
    if options.judge_share <= 0.0 {
        return;
    }
    let Some(umpire) = gateway.source.umpire() else {
        return tracing::warn!("serve.rollout.judge_share is set, but there is no judge");
    };
    let pause = Duration::from_secs(options.look_seconds.max(1));
    let (mut seen, mut from, mut of) = (HashSet::new(), now(), String::new());
    loop {
        tokio::time::sleep(pause).await;
        let (Some(plan), Some((trial, _))) = gateway.plans.both() else { continue };
        if of != *trial.id {
            of = trial.id.to_string();
            seen.clear();
        }
        if gateway.judged.of(&of).n() >= options.judge_most {
            continue;
        }
        let rows = match sample(&gateway, from, [&plan.id, &trial.id], &mut seen).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!("the judge sees no answers: {error}");
                continue;
            }
        };
        from = from.max(now() - LATE);
        for row in rows {
            match compare(&gateway, umpire.as_ref(), row, &plan, &trial).await {
                Ok(Some(outcome)) => gateway.judged.add(&of, outcome),
                Ok(None) => {}
                Err(error) => tracing::warn!("two answers could not be compared: {error}"),
            }
        }
    }
}

/// Answers of either plan that were not looked at yet and fall into the sample.
async fn sample(
    gateway: &Arc<Gateway>,
    from: i64,
    plans: [&Arc<str>; 2],
    seen: &mut HashSet<String>,
) -> Result<Vec<RequestRow>, String> {
    let (store, share) = (gateway.store.clone(), gateway.options.rollout.judge_share);
    let plans = plans.map(Arc::clone);
    let read = move || {
        let mut rows = Vec::new();
        let mut store = open(&store)?;
        store.requests(from, &mut |row| {
            let asked =
                plans.iter().any(|p| **p == *row.plan) && row.outcome == "ok" && !row.answer.is_empty();
            if asked && !row.messages.is_empty() && falls_in(&row.id, share) {
                rows.push(row);
            }
        })?;
        Ok::<_, uno_store::StoreError>(rows)
    };
    let rows = tokio::task::spawn_blocking(read).await.map_err(|e| e.to_string())?;
    let rows = rows.map_err(|e| e.to_string())?;
    Ok(rows
        .into_iter()
        .filter(|row| seen.len() < 100_000 && seen.insert(row.id.clone()))
        .take(AT_ONCE)
        .collect())
}

/// Whether a request is in the sample: by its id, so that it does not depend on who looks when.
fn falls_in(id: &str, share: f64) -> bool {
    let hash = blake3::hash(id.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_le_bytes(bytes) as f64 / u64::MAX as f64) < share
}

type Snapshot = Arc<crate::route::Snapshot>;

async fn compare(
    gateway: &Arc<Gateway>,
    umpire: &dyn Umpire,
    row: RequestRow,
    plan: &Snapshot,
    trial: &Snapshot,
) -> Result<Option<Outcome>, String> {
    let by_trial = *row.plan == *trial.id;
    let other = if by_trial { plan } else { trial };
    let Some(answer) = shadow::answer(gateway, other, &row).await? else { return Ok(None) };
    let (trial, plan) = if by_trial { (row.answer, answer) } else { (answer, row.answer) };
    let cluster = row.stratum.and_then(|c| usize::try_from(c).ok());
    let comparison = Comparison { messages: row.messages, cluster, trial, plan };
    // The judge may compute in this process: it has a thread of its own meanwhile.
    tokio::task::block_in_place(|| umpire.compare(&comparison)).map(Some)
}
