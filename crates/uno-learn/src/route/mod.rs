//! Route: which path answers a query, and the answer (METHOD §7).

use uno_types::{AdapterRef, ChatModel, Embedder, Message, Path, Plan};

use crate::cluster::{Centroids, nearest_within};
use crate::generate::run;
use crate::reflect::{AnswerOptions, Query, Reflected, parts, reflect};
use crate::{LearnError, features};

/// Where a query goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Nearest cluster; absent when none is near enough.
    pub cluster: Option<usize>,
    /// Euclidean distance to its centroid.
    pub distance: Option<f64>,
    /// The path that answers.
    pub path: Path,
    /// The adapter of that path.
    pub adapter: Option<AdapterRef>,
}

/// Which paths the caller allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// UNO: Expert, Critic or base, as the plan says.
    #[default]
    Uno,
    /// UNO-Single: one generation; where the plan says Critic, the base answers.
    Single,
    /// The base model alone.
    Base,
}

/// An answer and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Where the query went.
    pub route: Route,
    /// The steps of the reflective path, when it answered.
    pub reflected: Option<Reflected>,
    /// Why the adapter's path failed, when the base model answered in its place.
    pub failed: Option<String>,
}

impl Answer {
    fn of(text: String, route: Route) -> Self {
        Self { text, route, reflected: None, failed: None }
    }

    /// What the base model answered for an adapter's path.
    fn instead(text: String, route: &Route, failed: String) -> Self {
        let route = Route { path: Path::Base, adapter: None, ..route.clone() };
        Self { failed: Some(failed), ..Self::of(text, route) }
    }
}

/// Routes of `questions` (the user's words, without system turn).
///
/// # Errors
/// [`LearnError::Model`] when the embedder fails.
pub fn route(
    questions: &[&str],
    plan: &Plan,
    centroids: &Centroids,
    embedder: &dyn Embedder,
    policy: Policy,
) -> Result<Vec<Route>, LearnError> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let vectors =
        embedder.embed_questions(questions).map_err(|source| LearnError::Model { stage: "route", source })?;
    Ok(vectors.into_iter().map(|vector| place(vector, plan, centroids, policy)).collect())
}

/// The route of one embedded question.
pub fn place(mut vector: Vec<f32>, plan: &Plan, centroids: &Centroids, policy: Policy) -> Route {
    features::normalise(&mut vector);
    let near = nearest_within(centroids, &vector, plan.max_distance);
    let base =
        Route { cluster: near.map(|n| n.0), distance: near.map(|n| n.1), path: Path::Base, adapter: None };
    let Some(entry) = near.and_then(|(c, _)| plan.clusters.iter().find(|e| e.cluster == c)) else {
        return base;
    };
    // A path without its adapter cannot answer; the base model always can.
    match (entry.path, policy, &entry.adapter) {
        (Path::Expert, Policy::Uno | Policy::Single, Some(adapter))
        | (Path::Critic, Policy::Uno, Some(adapter)) => {
            Route { path: entry.path, adapter: Some(adapter.clone()), ..base }
        }
        _ => base,
    }
}

/// Answers `prompts` (system turn, if any, and question) along `routes`, all in as few batches as possible. Where an
/// adapter's path fails, the base model answers and the route says so; where that fails too, the error is in place.
///
/// # Errors
/// [`LearnError::Model`] when the model is lost altogether.
pub fn answer(
    prompts: &[&[Message]],
    routes: Vec<Route>,
    model: &dyn ChatModel,
    options: &AnswerOptions,
) -> Result<Vec<Result<Answer, uno_types::ModelError>>, LearnError> {
    let reflective: Vec<usize> = (0..routes.len()).filter(|&i| routes[i].path == Path::Critic).collect();
    let queries: Vec<Query<'_>> = reflective
        .iter()
        .filter_map(|&i| Some(Query { prompt: prompts[i], critic: routes[i].adapter.as_ref()? }))
        .collect();
    let mut reflected = reflect(&queries, model, options, &mut |_, _| {})?.into_iter();
    let mut out: Vec<Option<Result<Answer, uno_types::ModelError>>> = vec![None; routes.len()];
    for &i in &reflective {
        out[i] = reflected.next().map(|r| {
            r.map(|r| match &r.failed {
                Some(failed) => Answer::instead(r.base.clone(), &routes[i], failed.clone()),
                None => Answer { reflected: Some(r.clone()), ..Answer::of(r.answer, routes[i].clone()) },
            })
        });
    }
    let single: Vec<usize> = (0..routes.len()).filter(|&i| out[i].is_none()).collect();
    let requests: Vec<_> =
        single.iter().map(|&i| options.answer_request(prompts[i], routes[i].adapter.as_ref())).collect();
    let results = run("answer", model, &requests, &mut |_, _| {})?;
    let mut failed = Vec::new();
    for (&i, result) in single.iter().zip(results) {
        match result {
            Err(error) if routes[i].adapter.is_some() => failed.push((i, error.to_string())),
            result => out[i] = Some(result.map(|g| Answer::of(g.text, routes[i].clone()))),
        }
    }
    let requests: Vec<_> = failed.iter().map(|(i, _)| options.answer_request(prompts[*i], None)).collect();
    for ((i, error), result) in failed.into_iter().zip(run("answer", model, &requests, &mut |_, _| {})?) {
        out[i] = Some(result.map(|g| Answer::instead(g.text, &routes[i], error)));
    }
    let missing = || Err(uno_types::ModelError::Engine("no answer was generated".into()));
    Ok(out.into_iter().map(|a| a.unwrap_or_else(missing)).collect())
}

/// Routes and answers one question.
///
/// # Errors
/// [`LearnError::Model`] when embedder or model fail.
pub fn ask(
    prompt: &[Message],
    plan: &Plan,
    centroids: &Centroids,
    policy: Policy,
    embedder: &dyn Embedder,
    model: &dyn ChatModel,
    options: &AnswerOptions,
) -> Result<Answer, LearnError> {
    let routes = route(&[parts(prompt).2], plan, centroids, embedder, policy)?;
    let answers = answer(&[prompt], routes, model, options)?;
    let failed = |source| LearnError::Model { stage: "answer", source };
    answers
        .into_iter()
        .next()
        .ok_or_else(|| LearnError::Empty("no question was asked".into()))?
        .map_err(failed)
}

#[cfg(test)]
mod tests;
