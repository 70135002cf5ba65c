//! What a cluster can be trained on and verified with: its pairs, split once and for all.

use std::collections::{BTreeSet, HashMap, HashSet};

use uno_learn::reflect::critic_example;
use uno_learn::split::{TRAIN_SHARE, shuffled, split};
use uno_learn::support::{Support, capped};
use uno_learn::verify::HeldOut;
use uno_models::{EmbeddedChat, encode_example};
use uno_train::{PreferenceExample, SftExample, TrainData};
use uno_types::{AdapterKind, Cluster, Pair, Record, RuleSet};

use super::Pipeline;
use super::artefacts::{ClustersFile, Filled, GapLine, files};
use super::support::speaker;

/// The artefacts that training and verification read.
pub struct Artefacts {
    pub clusters: Vec<Cluster>,
    pub gaps: HashMap<usize, Option<f64>>,
    pairs: HashMap<String, Pair>,
    /// Position of a record in `records` and `rules`.
    pub index: HashMap<String, usize>,
    pub records: Vec<Record>,
    pub rules: Vec<RuleSet>,
    /// Records that are not trained on, because of a rule that too few users share.
    left_out: HashSet<String>,
    pub support: Vec<Support>,
    /// What clusters are filled up with.
    filled: Vec<Filled>,
    max_user_share: f64,
    /// Sides of earlier steps: records trained on, and records seen at all.
    sides: Option<(BTreeSet<String>, BTreeSet<String>)>,
    seed: u64,
}

/// A cluster's records that have a pair, split: the same split for Expert, Critic and verification.
pub struct Evidence {
    pub train: Vec<String>,
    pub validation: Vec<String>,
}

impl Evidence {
    /// How many pairs the users gave.
    pub fn pairs(&self) -> usize {
        self.train.len() + self.validation.len()
    }
}

impl Artefacts {
    /// Files that it reads: stages that use it depend on them.
    pub const FILES: [&'static str; 7] = {
        let [records, rules, pairs, clusters, support, gaps] = Self::UNFILLED;
        [records, rules, pairs, clusters, support, gaps, files::FILLED]
    };
    /// Those of [`Self::unfilled`].
    pub const UNFILLED: [&'static str; 6] =
        [files::RECORDS, files::RULES, files::PAIRS, files::CLUSTERS, files::SUPPORT, files::GAPS];

    /// Reads the artefacts of a run.
    ///
    /// # Errors
    /// When one is missing or damaged.
    pub fn read(pipeline: &Pipeline<'_>) -> anyhow::Result<Self> {
        let filled = pipeline.run.read_lines(files::FILLED)?;
        Ok(Self { filled, ..Self::unfilled(pipeline)? })
    }

    /// Those that the users gave by themselves: before the clusters are filled up.
    ///
    /// # Errors
    /// When one is missing or damaged.
    pub fn unfilled(pipeline: &Pipeline<'_>) -> anyhow::Result<Self> {
        let run = &pipeline.run;
        let clusters: ClustersFile = run.read_json(files::CLUSTERS)?;
        let pairs: Vec<Pair> = run.read_lines(files::PAIRS)?;
        let records: Vec<Record> = run.read_lines(files::RECORDS)?;
        let gaps: Vec<GapLine> = run.read_lines(files::GAPS)?;
        let gaps = gaps.into_iter().filter_map(|line| match line {
            GapLine::Cluster(gap) => Some((gap.cluster, gap.gap)),
            GapLine::Record(_) => None,
        });
        let support: Vec<Support> = run.read_json(files::SUPPORT)?;
        Ok(Self {
            clusters: clusters.clusters,
            gaps: gaps.collect(),
            pairs: pairs.into_iter().map(|p| (p.record.clone(), p)).collect(),
            index: records.iter().enumerate().map(|(i, r)| (r.id.clone(), i)).collect(),
            rules: run.read_lines(files::RULES)?,
            records,
            left_out: support.iter().flat_map(|s| s.left_out.iter().cloned()).collect(),
            support,
            filled: Vec::new(),
            max_user_share: pipeline.settings.evidence.max_user_share,
            sides: pipeline.evolution.as_ref().map(|e| (e.trained.clone(), e.seen.clone())),
            seed: pipeline.settings.seed,
        })
    }

    /// The gap of a cluster, if it could be measured.
    pub fn gap(&self, cluster: usize) -> Option<f64> {
        self.gaps.get(&cluster).copied().flatten()
    }

    /// The split of a cluster's pairs: of those whose rules enough users share, and with no user having too many of them.
    pub fn evidence(&self, cluster: &Cluster) -> Evidence {
        let sound = |id: &&String| self.pairs.contains_key(*id) && !self.left_out.contains(*id);
        let ids: Vec<String> = cluster.members.iter().filter(sound).cloned().collect();
        self.on_sides(self.capped(ids))
    }

    /// The records to train a cluster's modules on: those of the split, and those that it is filled up with.
    pub fn training(&self, cluster: &Cluster, own: &Evidence) -> Vec<String> {
        let mut ids = own.train.clone();
        ids.extend(self.filled.iter().filter(|f| f.cluster == cluster.id).map(|f| f.record.id.clone()));
        self.capped_in_order(ids)
    }

    /// The split. Records that an earlier step trained on or held out stay on their side, so that nobody is tested on what
    /// an adapter in service has learnt; only new ones are drawn.
    fn on_sides(&self, ids: Vec<String>) -> Evidence {
        let (mut train, mut validation, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        match &self.sides {
            Some((trained, seen)) if ids.iter().any(|id| trained.contains(id)) => {
                for id in ids {
                    let side = match (trained.contains(&id), seen.contains(&id)) {
                        (true, _) => &mut train,
                        (false, true) => &mut validation,
                        (false, false) => &mut fresh,
                    };
                    side.push(id);
                }
            }
            _ => fresh = ids,
        }
        let split = split(&fresh, TRAIN_SHARE, self.seed);
        train.extend(split.train);
        validation.extend(split.validation);
        Evidence { train, validation }
    }

    /// Without the records by which a user would have more than the allowed share. Which of them stay is drawn.
    fn capped(&self, ids: Vec<String>) -> Vec<String> {
        self.capped_in_order(shuffled(ids, self.seed))
    }

    fn capped_in_order(&self, ids: Vec<String>) -> Vec<String> {
        let of = |id: String| {
            let user = self.index.get(&id).map_or_else(String::new, |&i| speaker(&self.records[i]));
            (id, user)
        };
        capped(&ids.into_iter().map(of).collect::<Vec<_>>(), self.max_user_share)
    }

    /// Pairs of a cluster that are not trained on, because of a rule that too few users share.
    pub fn left_out(&self, cluster: &Cluster) -> usize {
        cluster
            .members
            .iter()
            .filter(|id| self.pairs.contains_key(*id) && self.left_out.contains(*id))
            .count()
    }

    /// Training examples of a module from these records.
    ///
    /// # Errors
    /// When the chat template refuses a prompt.
    pub fn examples(
        &self,
        kind: AdapterKind,
        ids: &[String],
        weights: &EmbeddedChat,
    ) -> anyhow::Result<TrainData> {
        Ok(match kind {
            AdapterKind::Expert => TrainData::Preferences(self.preferences(ids, weights)?),
            AdapterKind::Critic => TrainData::Completions(self.completions(ids, weights)?),
        })
    }

    fn preferences(&self, ids: &[String], weights: &EmbeddedChat) -> anyhow::Result<Vec<PreferenceExample>> {
        let mut examples = Vec::new();
        for pair in ids.iter().filter_map(|id| self.pairs.get(id).or_else(|| Some(&self.filled(id)?.pair))) {
            let encode =
                |text: &str| encode_example(weights.tokenizer(), weights.template(), &pair.prompt, text);
            let (chosen, rejected) = (encode(&pair.chosen)?, encode(&pair.rejected)?);
            examples.push(PreferenceExample {
                id: pair.record.clone(),
                prompt: chosen.prompt,
                chosen: chosen.completion,
                rejected: rejected.completion,
            });
        }
        Ok(examples)
    }

    fn completions(&self, ids: &[String], weights: &EmbeddedChat) -> anyhow::Result<Vec<SftExample>> {
        let mut examples = Vec::new();
        let of = |id: &String| match self.filled(id) {
            Some(filled) => Some((&filled.record, &filled.rules)),
            None => self.index.get(id).map(|&i| (&self.records[i], &self.rules[i])),
        };
        for (record, rules) in ids.iter().filter_map(of) {
            let Some((prompt, completion)) = critic_example(record, rules) else {
                continue;
            };
            let encoded = encode_example(weights.tokenizer(), weights.template(), &prompt, &completion)?;
            examples.push(SftExample {
                id: record.id.clone(),
                prompt: encoded.prompt,
                completion: encoded.completion,
            });
        }
        Ok(examples)
    }

    fn filled(&self, id: &str) -> Option<&Filled> {
        self.filled.iter().find(|f| f.record.id == id)
    }

    /// The questions of these records.
    pub fn queries(&self, ids: &[String]) -> Vec<String> {
        let positions = ids.iter().filter_map(|id| self.index.get(id));
        positions.map(|&i| self.records[i].query().to_owned()).collect()
    }

    /// The held-out records of the clusters that are `wanted`: every record that no training saw, with rules that enough users
    /// share (what one of them wishes for against the others is no measure of an adapter). Records without a pair are among them. Often that is because the first answer was fine: they show what an adapter spoils.
    pub fn held_out(&self, wanted: impl Fn(usize) -> bool) -> Vec<HeldOut> {
        let clusters = self.clusters.iter().filter(|c| wanted(c.id));
        clusters.flat_map(|cluster| self.held_out_of(cluster)).collect()
    }

    fn held_out_of(&self, cluster: &Cluster) -> Vec<HeldOut> {
        let trained: HashSet<String> = self.evidence(cluster).train.into_iter().collect();
        let taught = |id: &&String| {
            let has_rules = |&i: &usize| !self.rules[i].with_feedback.is_empty();
            !trained.contains(*id)
                && !self.left_out.contains(*id)
                && self.index.get(*id).is_some_and(has_rules)
        };
        let mut ids = self.capped(cluster.members.iter().filter(taught).cloned().collect());
        ids.sort();
        ids.iter()
            .filter_map(|id| {
                let &i = self.index.get(id)?;
                let (prompt, rules) = (self.records[i].prompt(), self.rules[i].with_feedback.clone());
                Some(HeldOut { record: id.clone(), cluster: cluster.id, prompt, rules })
            })
            .collect()
    }

    /// Held-out records of a cluster whose rules are all checked by programs.
    pub fn checkable(&self, cluster: &Cluster) -> usize {
        let by_program = |h: &HeldOut| h.rules.iter().all(|rule| rule.check.is_some());
        self.held_out_of(cluster).iter().filter(|h| by_program(h)).count()
    }
}
