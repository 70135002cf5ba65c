//! Clusters and centroids (METHOD §3).
//!
//! Records with rules shape the clusters. Records without any would lie apart from the records of their own topic (half
//! of their vector is zero), split each topic in two, and catch its queries; so they join the nearest cluster afterwards
//! and move no centroid.

use anyhow::ensure;
use uno_learn::cluster::{self, Centroids};
use uno_learn::{features, ward};
use uno_types::{Record, RuleSet};

use super::artefacts::{ClustersFile, MapPosition, files};
use super::{Pipeline, projection, questions};
use crate::config::ClusterBy;

/// Writes `clusters.json` and `centroids.safetensors`.
///
/// # Errors
/// When the embedder is lost, or no record has rules.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let options = pipeline.settings.cluster.clone();
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.hashes(&[files::RECORDS, files::RULES]),
        options.by,
        options.threshold,
        roles.embedder().id(),
    );
    pipeline.stage("cluster", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let rules: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let embedder = p.roles()?.embedder();
        let queries = questions::vectors(p, &records)?;

        let taught: Vec<usize> = (0..records.len()).filter(|&i| !rules[i].with_feedback.is_empty()).collect();
        ensure!(
            !taught.is_empty(),
            "no record has rules: nobody said anything usable after an answer ({} records, {} with feedback). Add logs \
             with feedback, or look at the dropped rules in {}",
            records.len(),
            records.iter().filter(|r| r.has_feedback()).count(),
            p.run.path(files::RULES).display()
        );
        let texts: Vec<String> = taught.iter().map(|&i| joined(&rules[i])).collect();
        let vectors = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let points: Vec<Vec<f32>> =
            taught.iter().zip(&vectors).map(|(&i, rules)| point(options.by, &queries[i], rules)).collect();
        let labels = match options.by {
            ClusterBy::None => vec![0; points.len()],
            _ => ward::tree(&points)?.cut(options.threshold),
        };
        let of_taught: Vec<Vec<f32>> = taught.iter().map(|&i| queries[i].clone()).collect();
        let centroids = Centroids::from_labels(&of_taught, &labels)?;

        let mut all: Vec<usize> =
            queries.iter().map(|q| cluster::nearest(&centroids, q).map_or(0, |(c, _)| c)).collect();
        for (&i, &label) in taught.iter().zip(&labels) {
            all[i] = label;
        }
        let ids: Vec<String> = records.iter().map(|r| r.id.clone()).collect();
        let points = projection::project(&queries);
        let file = ClustersFile {
            threshold: options.threshold,
            embedder: embedder.id(),
            clusters: cluster::clusters(&ids, &all),
            points: (0..records.len())
                .map(|i| MapPosition {
                    record: ids[i].clone(),
                    cluster: all[i],
                    x: points[i][0],
                    y: points[i][1],
                    has_rules: !rules[i].with_feedback.is_empty(),
                })
                .collect(),
        };
        p.run.write_json(files::CLUSTERS, &file)?;
        super::write_centroids(&p.run, &centroids)?;
        Ok(vec![files::CLUSTERS.into(), files::CENTROIDS.into()])
    })
}

/// What a record with rules is clustered by.
pub fn point(by: ClusterBy, query: &[f32], rules: &[f32]) -> Vec<f32> {
    match by {
        ClusterBy::Dual | ClusterBy::None => features::dual(query, rules),
        ClusterBy::Query => query.to_vec(),
        ClusterBy::Rules => features::normalised(rules),
    }
}

/// The record's rules in one text, as the method embeds them.
pub fn joined(rules: &RuleSet) -> String {
    rules.with_feedback.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("\n")
}
