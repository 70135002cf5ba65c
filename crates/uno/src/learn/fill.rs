//! Filling up clusters of few pairs: their questions without feedback, answered as their users wish.

use uno_learn::fill::{as_if_wished, house_rules, is_silent};
use uno_learn::{candidates, pairs};
use uno_types::{Cluster, Record, Rule, RuleSet};

use super::artefacts::{Filled, files};
use super::evidence::Artefacts;
use super::{Pipeline, questions};

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
            let artefacts = Artefacts::unfilled(p)?;
            let nearest = questions::nearest(p, &artefacts.records)?;
            for cluster in &artefacts.clusters {
                filled.extend(fill(p, &artefacts, &nearest, cluster)?);
            }
        }
        p.run.write_lines(files::FILLED, &filled)?;
        Ok(vec![files::FILLED.into()])
    })
}

/// Pairs of as many questions of a cluster as it lacks, those nearest to its centroid first.
fn fill(
    p: &Pipeline<'_>,
    artefacts: &Artefacts,
    nearest: &[Option<(usize, f32)>],
    cluster: &Cluster,
) -> anyhow::Result<Vec<Filled>> {
    let (own, settings) = (artefacts.evidence(cluster), &p.settings.cluster);
    if p.passes_over(artefacts, cluster) || own.pairs() < settings.min_pairs {
        return Ok(Vec::new());
    }
    let support = artefacts.support.iter().find(|s| s.cluster == cluster.id);
    let rules = support.map(|s| house_rules(s, &artefacts.rules)).unwrap_or_default();
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = settings.fill_to.saturating_sub(own.train.len());
    let silent = silent(artefacts, nearest, cluster);
    let (mut out, mut rest) = (Vec::new(), silent.as_slice());
    // Not every question gives a pair.
    while out.len() < wanted && !rest.is_empty() {
        let (now, later) = rest.split_at((wanted - out.len()).min(rest.len()));
        out.extend(pairs_of(p, artefacts, cluster.id, now, &rules)?);
        rest = later;
    }
    Ok(out)
}

/// Records of a cluster that can be filled up with and are nearest to it, by their distance.
fn silent(artefacts: &Artefacts, nearest: &[Option<(usize, f32)>], cluster: &Cluster) -> Vec<usize> {
    let members = cluster.members.iter().filter_map(|id| artefacts.index.get(id).copied());
    let near = |i: usize| nearest[i].filter(|(c, _)| *c == cluster.id).map(|(_, distance)| (distance, i));
    let mut found: Vec<(f32, usize)> =
        members.filter(|&i| is_silent(&artefacts.records[i], &artefacts.rules[i])).filter_map(near).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(_, i)| i).collect()
}

fn pairs_of(
    p: &Pipeline<'_>,
    artefacts: &Artefacts,
    cluster: usize,
    positions: &[usize],
    rules: &[Rule],
) -> anyhow::Result<Vec<Filled>> {
    let wished = |&i: &usize| as_if_wished(&artefacts.records[i], &artefacts.rules[i], rules);
    let (records, sets): (Vec<Record>, Vec<RuleSet>) = positions.iter().map(wished).unzip();
    let (roles, settings) = (p.roles()?, p.settings);
    let mut bar = p.console.bar("fill", 0);
    let mut progress = |done: usize, total: usize| bar.at(done as u64, total as u64);
    let found =
        candidates::candidates(&records, &sets, roles.teacher(), &settings.candidates, &mut progress)?;
    let found =
        pairs::pairs(&records, &sets, found.candidates, roles.judge(), &settings.pairs, &mut progress)?;
    // At most one pair a record, in the order of the records.
    let mut pairs = found.pairs.into_iter().peekable();
    let of = |(record, rules): (Record, RuleSet)| {
        let pair = pairs.next_if(|pair| pair.record == record.id)?;
        Some(Filled { cluster, record, rules, pair })
    };
    Ok(records.into_iter().zip(sets).filter_map(of).collect())
}
