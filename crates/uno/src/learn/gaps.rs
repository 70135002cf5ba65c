//! The gap: how new the feedback is to the model (METHOD §4).

use uno_learn::gap::{self, Coverage};
use uno_types::{Embedder, GapMethod, RecordGap, Reranker, RuleSet};

use super::Pipeline;
use super::artefacts::{ClustersFile, GapLine, files};

/// Writes `gaps.jsonl`.
///
/// # Errors
/// When the reranker or the embedder is lost.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let roles = pipeline.roles()?;
    let scorer = roles.reranker().map_or_else(|| roles.embedder().id(), Reranker::id);
    let depends = (pipeline.hashes(&[files::RULES, files::CLUSTERS]), scorer);
    pipeline.stage("gap", &depends, |p| {
        let rules: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let clusters: ClustersFile = p.run.read_json(files::CLUSTERS)?;
        // Only records with both rule lists say how new the one is to the other.
        let both: Vec<&RuleSet> =
            rules.iter().filter(|r| !r.with_feedback.is_empty() && !r.without_feedback.is_empty()).collect();
        let roles = p.roles()?;
        let (method, novelties) = match roles.reranker() {
            Some(reranker) => (GapMethod::Reranker, by_reranker(&both, reranker)?),
            None => (GapMethod::EmbeddingCoverage, by_coverage(&both, roles.embedder())?),
        };
        let gaps: Vec<RecordGap> =
            both.iter().zip(&novelties).filter_map(|(r, n)| gap::record_gap(&r.record, n)).collect();
        let mut lines = Vec::new();
        for cluster in &clusters.clusters {
            let own: Vec<RecordGap> =
                gaps.iter().filter(|g| cluster.members.binary_search(&g.record).is_ok()).cloned().collect();
            lines.push(GapLine::Cluster(gap::cluster_gap(cluster.id, &own, method)));
        }
        lines.extend(gaps.into_iter().map(GapLine::Record));
        p.run.write_lines(files::GAPS, &lines)?;
        Ok(vec![files::GAPS.into()])
    })
}

/// 1 − the probability that the rule is covered by the model's own rules.
fn by_reranker(sets: &[&RuleSet], reranker: &dyn Reranker) -> anyhow::Result<Vec<Vec<f64>>> {
    let own: Vec<String> = sets.iter().map(|s| s.without_feedback.join("\n")).collect();
    let pairs: Vec<(&str, &str)> = sets
        .iter()
        .zip(&own)
        .flat_map(|(s, own)| s.with_feedback.iter().map(|r| (r.text.as_str(), own.as_str())))
        .collect();
    let mut scores = reranker.score(&pairs)?.into_iter();
    Ok(sets
        .iter()
        .map(|s| scores.by_ref().take(s.with_feedback.len()).map(|p| 1.0 - f64::from(p)).collect())
        .collect())
}

/// 1 − the calibrated best cosine between the rule and the model's own rules.
fn by_coverage(sets: &[&RuleSet], embedder: &dyn Embedder) -> anyhow::Result<Vec<Vec<f64>>> {
    let coverage = Coverage::default();
    let embed = |texts: Vec<&str>| embedder.embed(&texts);
    let rules = embed(sets.iter().flat_map(|s| s.with_feedback.iter().map(|r| r.text.as_str())).collect())?;
    let own = embed(sets.iter().flat_map(|s| s.without_feedback.iter().map(String::as_str)).collect())?;
    let (mut rules, mut own) = (rules.into_iter(), own.into_iter());
    Ok(sets
        .iter()
        .map(|s| {
            let mine: Vec<Vec<f32>> = own.by_ref().take(s.without_feedback.len()).collect();
            rules.by_ref().take(s.with_feedback.len()).map(|r| coverage.novelty(&r, &mine)).collect()
        })
        .collect())
}
