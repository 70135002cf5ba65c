//! Who stands behind each cluster's rules: evidence counts users, not messages.

use std::collections::{BTreeSet, HashMap};

use uno_learn::support::{Support, Voice, groups, support};
use uno_types::{Record, Rule, RuleSet};

use super::artefacts::{ClustersFile, files};
use super::{Pipeline, questions};
use crate::config::ClusterBy;

/// Writes `support.json`.
///
/// # Errors
/// When the embedder is lost.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let mut options = pipeline.settings.evidence;
    // A share of those who speak on a topic says nothing where there are no topics.
    if pipeline.settings.cluster.by == ClusterBy::None {
        options.min_user_share = 0.0;
    }
    let depends = (
        pipeline.hashes(&[files::RECORDS, files::RULES, files::CLUSTERS, files::CENTROIDS]),
        &options,
        pipeline.roles()?.embedder_id(),
    );
    pipeline.stage("support", &depends, |p| {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let sets: Vec<RuleSet> = p.run.read_lines(files::RULES)?;
        let clusters: ClustersFile = p.run.read_json(files::CLUSTERS)?;
        let embedder = p.roles()?.embedder();

        let rules: Vec<&Rule> = sets.iter().flat_map(|s| &s.with_feedback).collect();
        let texts: Vec<&str> = rules.iter().map(|r| r.text.as_str()).collect();
        let groups = groups(&rules, &embedder.embed(&texts)?, options.same_rule_cosine);
        // A rule of each group, to show and to compare.
        let mut leaders: Vec<&Rule> = Vec::new();
        for (rule, group) in rules.iter().zip(&groups) {
            if *group == leaders.len() {
                leaders.push(rule);
            }
        }
        let mut next = groups.into_iter();
        let voices: Vec<Voice> = records
            .iter()
            .zip(&sets)
            .map(|(record, set)| Voice {
                record: record.id.clone(),
                user: speaker(record),
                says: next.by_ref().take(set.with_feedback.len()).collect(),
            })
            .collect();
        let routed = questions::nearest(p, &records)?;
        let log_users = voices.iter().map(|v| v.user.as_str()).collect::<BTreeSet<_>>().len();
        let index: HashMap<&str, usize> =
            records.iter().enumerate().map(|(i, r)| (r.id.as_str(), i)).collect();

        let spoke = |i: &usize| !voices[*i].says.is_empty();
        let pick = |positions: &mut dyn Iterator<Item = usize>| -> Vec<Voice> {
            positions.filter(spoke).map(|i| voices[i].clone()).collect()
        };
        let of = |c: &uno_types::Cluster| -> Support {
            let asked = pick(
                &mut (0..records.len()).filter(|i| routed[*i].is_some_and(|(nearest, _)| nearest == c.id)),
            );
            let members = pick(&mut c.members.iter().filter_map(|id| index.get(id.as_str()).copied()));
            support(c.id, &asked, &members, &leaders, log_users, &options)
        };
        let all: Vec<Support> = clusters.clusters.iter().map(of).collect();
        p.run.write_json(files::SUPPORT, &all)?;
        Ok(vec![files::SUPPORT.into()])
    })
}

/// Who speaks in a record; one without a user is a user of its own.
pub fn speaker(record: &Record) -> String {
    record.user.clone().unwrap_or_else(|| format!("record {}", record.id))
}
