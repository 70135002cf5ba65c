//! Filling up clusters of few pairs: their questions without feedback, answered as their users wish.

use std::collections::HashMap;

use uno_learn::fill::{as_if_wished, house_rules, is_silent};
use uno_learn::support::Support;
use uno_learn::{candidates, cluster, features, pairs};
use uno_types::{Cluster, Plan, Record, Rule, RuleSet};

use super::Pipeline;
use super::artefacts::{Filled, files};
use super::evidence::Artefacts;

/// Writes `filled.jsonl`.
///
/// # Errors
/// When embedder, teacher or judge are lost, or the budget is used up.
pub fn stage(pipeline: &mut Pipeline<'_>) -> anyhow::Result<()> {
    let settings = pipeline.settings;
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.hashes(&Artefacts::UNFILLED),
        pipeline.hashes(&[files::CENTROIDS]),
        (settings.cluster.fill_to, settings.cluster.min_pairs),
        (&settings.candidates, &settings.pairs),
        (settings.evidence.max_user_share, settings.seed),
        (roles.teacher().id(), roles.judge().id(), roles.embedder_id()),
        (&pipeline.evolution, &settings.evolve),
    );
    let depends = uno_store::hash::of_value(&depends);
    pipeline.stage("fill", &depends, |p| {
        let mut filled = Vec::new();
        if settings.cluster.fill_to > 0 {
            let log = Log::read(p)?;
            let artefacts = Artefacts::unfilled(p)?;
            for cluster in &artefacts.clusters {
                let passed_over =
                    p.evolution.as_ref().is_some_and(|e| !e.changed(&artefacts, cluster, settings));
                let own = artefacts.evidence(cluster);
                let too_few = own.train.len() + own.validation.len() < settings.cluster.min_pairs;
                if !passed_over && !too_few {
                    let wanted = settings.cluster.fill_to.saturating_sub(own.train.len());
                    filled.extend(log.fill(p, cluster, wanted)?);
                }
            }
        }
        p.run.write_lines(files::FILLED, &filled)?;
        Ok(vec![files::FILLED.into()])
    })
}

/// All records with their rules and their question's place.
struct Log {
    records: Vec<Record>,
    rules: Vec<RuleSet>,
    index: HashMap<String, usize>,
    support: Vec<Support>,
    /// Nearest cluster and the distance to it.
    routed: Vec<Option<(usize, f32)>>,
}

impl Log {
    fn read(p: &Pipeline<'_>) -> anyhow::Result<Self> {
        let records: Vec<Record> = p.run.read_lines(files::RECORDS)?;
        let centroids = super::read_centroids(&p.run, &Plan::default())?;
        let questions: Vec<&str> = records.iter().map(Record::query).collect();
        let mut questions = p.roles()?.embedder().embed_questions(&questions)?;
        questions.iter_mut().for_each(|v| features::normalise(v));
        Ok(Self {
            routed: questions.iter().map(|q| cluster::nearest(&centroids, q)).collect(),
            index: records.iter().enumerate().map(|(i, r)| (r.id.clone(), i)).collect(),
            rules: p.run.read_lines(files::RULES)?,
            support: p.run.read_json(files::SUPPORT)?,
            records,
        })
    }

    /// Pairs of up to `wanted` questions of a cluster, those nearest to its centroid first.
    fn fill(&self, p: &Pipeline<'_>, cluster: &Cluster, wanted: usize) -> anyhow::Result<Vec<Filled>> {
        let support = self.support.iter().find(|s| s.cluster == cluster.id);
        let rules = support.map(|s| house_rules(s, &self.rules)).unwrap_or_default();
        let mut silent = self.silent(cluster);
        if rules.is_empty() {
            silent.clear();
        }
        let mut out = Vec::new();
        let mut rest = silent.as_slice();
        while out.len() < wanted && !rest.is_empty() {
            let (now, later) = rest.split_at((wanted - out.len()).min(rest.len()));
            out.extend(self.pairs(p, cluster.id, now, &rules)?);
            rest = later;
        }
        Ok(out)
    }

    /// Records of a cluster that can be filled up with and are nearest to it, by their distance.
    fn silent(&self, cluster: &Cluster) -> Vec<usize> {
        let members = cluster.members.iter().filter_map(|id| self.index.get(id).copied());
        let near = |i: usize| self.routed[i].filter(|(c, _)| *c == cluster.id).map(|(_, d)| (d, i));
        let mut found: Vec<(f32, usize)> =
            members.filter(|&i| is_silent(&self.records[i], &self.rules[i])).filter_map(near).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found.into_iter().map(|(_, i)| i).collect()
    }

    fn pairs(
        &self,
        p: &Pipeline<'_>,
        cluster: usize,
        positions: &[usize],
        rules: &[Rule],
    ) -> anyhow::Result<Vec<Filled>> {
        let wished = |&i: &usize| as_if_wished(&self.records[i], &self.rules[i], rules);
        let (records, sets): (Vec<Record>, Vec<RuleSet>) = positions.iter().map(wished).unzip();
        let (roles, settings) = (p.roles()?, p.settings);
        let mut bar = p.console.bar("fill", 0);
        let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
        let found =
            candidates::candidates(&records, &sets, roles.teacher(), &settings.candidates, &mut progress)?;
        let found =
            pairs::pairs(&records, &sets, found.candidates, roles.judge(), &settings.pairs, &mut progress)?;
        let mut sets: HashMap<String, (Record, RuleSet)> =
            records.into_iter().zip(sets).map(|(r, s)| (r.id.clone(), (r, s))).collect();
        let of = |pair: uno_types::Pair| {
            let (record, rules) = sets.remove(&pair.record)?;
            Some(Filled { cluster, record, rules, pair })
        };
        Ok(found.pairs.into_iter().filter_map(of).collect())
    }
}
