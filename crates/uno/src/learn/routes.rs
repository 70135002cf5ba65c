//! Where questions go by the plan in force.

use uno_learn::route::{self, Policy, Route};
use uno_types::Plan;

use super::artefacts::files;
use super::{Pipeline, centroids};

/// The route of each question.
///
/// # Errors
/// When plan or centroids are missing, or the embedder is lost.
pub fn planned(pipeline: &Pipeline<'_>, questions: &[&str], policy: Policy) -> anyhow::Result<Vec<Route>> {
    let plan: Plan = pipeline.run.read_json(files::PLAN)?;
    let centroids = centroids::read(&pipeline.run, &plan)?;
    Ok(route::route(questions, &plan, &centroids, pipeline.roles()?.embedder(), policy)?)
}
