//! The decision for one request.

use std::time::Instant;

use uno_learn::route::{Policy, Route, place};
use uno_types::Path;

use super::{EmbedThread, Plans, Snapshot};
use crate::chat::Talk;
use crate::decision::{Decision, Reason, Served};
use crate::record::conversation_key;

/// What is asked, and how.
pub struct Asked<'a> {
    /// The conversation.
    pub talk: &'a Talk,
    /// Several answers are wanted.
    pub many: bool,
    /// The path that the client asks for.
    pub forced: Option<Path>,
    /// The user that the application names.
    pub user: &'a str,
    /// The name of the API key.
    pub key: &'a str,
}

/// Decides who answers. Whatever fails, the base model can.
pub async fn decide(asked: &Asked<'_>, plans: &Plans, embedder: Option<&EmbedThread>) -> Decision {
    let base = |reason| Decision::new(Served::Base, reason);
    let conversation = conversation_key(&asked.talk.messages, asked.user, asked.key);
    let (Some((snapshot, canary)), Some(embedder)) = (plans.of(conversation), embedder) else {
        return base(Reason::NoPlan);
    };
    let of_plan = |snapshot: &Snapshot, canary, decision: Decision| Decision {
        plan: Some(snapshot.id.clone()),
        canary,
        ..decision
    };
    let kept_away = match (asked.forced, asked.talk) {
        (Some(Path::Base), _) => Some(Reason::Forced),
        (_, talk) if talk.tools => Some(Reason::Tools),
        (_, talk) if talk.media => Some(Reason::Media),
        (_, talk) if talk.question().trim().is_empty() => Some(Reason::NoQuestion),
        _ => None,
    };
    if let Some(reason) = kept_away {
        return of_plan(&snapshot, canary, base(reason));
    }
    let started = Instant::now();
    let vector = embedder.embed(asked.talk.question()).await;
    let embed_us = started.elapsed().as_micros() as u64;
    let vector = match vector {
        Ok(vector) => vector,
        Err(error) => {
            tracing::debug!("not routed: {error}");
            return of_plan(&snapshot, canary, Decision { embed_us, ..base(Reason::Embedder) });
        }
    };
    let route =
        |snapshot: &Snapshot| place(vector.to_vec(), &snapshot.plan, &snapshot.centroids, Policy::Uno);
    let (snapshot, canary, route, stratum) = match plans.both() {
        // Shares are given by the clusters of the plan on trial, and so both arms are compared by them.
        (Some(current), Some((trial, shares))) => {
            let tried = route(&trial);
            let stratum = tried.cluster;
            match shares.takes(conversation, stratum) {
                true => (trial, true, tried, stratum),
                false => (current.clone(), false, route(&current), stratum),
            }
        }
        _ => (snapshot.clone(), canary, route(&snapshot), None),
    };
    of_plan(&snapshot, canary, Decision { embed_us, stratum, ..of_route(&route, asked) })
}

/// What the plan's route comes to for this request.
fn of_route(route: &Route, asked: &Asked<'_>) -> Decision {
    let (served, mut reason) = match (route.path, route.cluster) {
        (_, None) => (Served::Base, Reason::Far),
        (Path::Expert, _) => (Served::Expert, Reason::Plan),
        (Path::Critic, _) if asked.many => (Served::Base, Reason::Many),
        (Path::Critic, _) => (Served::Critic, Reason::Plan),
        (Path::Base, _) => (Served::Base, Reason::Plan),
    };
    if reason == Reason::Plan && !asked.talk.is_first() {
        reason = Reason::FirstTurn;
    }
    let mut decision = Decision::new(served, reason);
    decision.cluster = route.cluster;
    if served != Served::Base {
        decision.adapter = route.adapter.as_ref().map(|a| a.name.as_str().into());
    }
    // A path that the plan does not have here cannot be forced: there is no adapter for it.
    let word = asked.forced.map(Path::as_str);
    match word {
        Some(word) if word == decision.served.as_str() => decision.reason = Reason::Forced,
        Some(_) => return decision.instead(Reason::Forced),
        None => {}
    }
    decision
}
