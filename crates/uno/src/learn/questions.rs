//! Where the questions of records lie.

use uno_learn::{cluster, features};
use uno_types::{Plan, Record};

use super::Pipeline;

/// The question of each record as a vector of length 1.
///
/// # Errors
/// When the embedder is lost.
pub fn vectors(p: &Pipeline<'_>, records: &[Record]) -> anyhow::Result<Vec<Vec<f32>>> {
    let texts: Vec<&str> = records.iter().map(Record::query).collect();
    let mut vectors = p.roles()?.embedder().embed_questions(&texts)?;
    vectors.iter_mut().for_each(|v| features::normalise(v));
    Ok(vectors)
}

/// The cluster whose centroid is nearest to each record's question, and the distance to it.
///
/// # Errors
/// When the run's centroids are missing or damaged, or the embedder is lost.
pub fn nearest(p: &Pipeline<'_>, records: &[Record]) -> anyhow::Result<Vec<Option<(usize, f32)>>> {
    let centroids = super::read_centroids(&p.run, &Plan::default())?;
    Ok(vectors(p, records)?.iter().map(|question| cluster::nearest(&centroids, question)).collect())
}
