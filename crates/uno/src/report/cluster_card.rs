//! One cluster: what its users ask for, how training and verification went, answers before and after.

use std::collections::BTreeMap;
use std::fmt::Write;

use uno_learn::support::Shared;
use uno_types::{AdapterKind, Guard, Outcome, PlanEntry, ScoredBy, Verdict};

use super::data::ReportData;
use super::html::{colour, escape, shorten};
use super::overview::badge;
use super::svg;
use crate::learn::artefacts::TrainedModule;

/// The card of one cluster.
pub fn render(data: &ReportData, entry: &PlanEntry) -> String {
    let adapter =
        entry.adapter.as_ref().map_or(String::new(), |a| format!("<code>{}</code>", escape(&a.name)));
    format!(
        "<section class=card><div class=head><h3><span class=dot style='background:{}'></span>Cluster {}</h3>{}\
         <span class=dim>{} records</span> {adapter}</div><p>{}</p><div class=grid><div>{}</div><div>{}</div></div>{}{}</section>",
        colour(entry.cluster),
        entry.cluster,
        badge(entry.path),
        entry.size,
        escape(&entry.reason),
        said(data, entry),
        verification(data, entry),
        training(data, entry),
        answers(data, entry),
    )
}

/// What users ask, and the rules that most of them share.
fn said(data: &ReportData, entry: &PlanEntry) -> String {
    let members = data.members(entry.cluster);
    let mut rules: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for rule in members.iter().filter_map(|id| data.rules.get(id)).flat_map(|set| &set.with_feedback) {
        rules.entry(&rule.text).or_insert((0, &rule.evidence)).0 += 1;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    let mut out = String::from("<h4>Rules its users gave</h4><ul>");
    for (rule, (n, evidence)) in rules.iter().take(6) {
        let _ = write!(
            out,
            "<li>{} <span class='dim small'>{n} ×; “{}”</span></li>",
            escape(&shorten(rule, 160)),
            escape(&shorten(evidence, 110))
        );
    }
    if rules.is_empty() {
        out.push_str("<li class=dim>none</li>");
    }
    let _ = write!(out, "</ul>{}<h4>Questions</h4><ul>", behind(data, entry.cluster));
    let queries = data.records.iter().filter(|r| members.contains(&r.id)).take(3);
    for record in queries {
        let _ = write!(out, "<li>{}</li>", escape(&shorten(record.query(), 120)));
    }
    out + "</ul>"
}

/// How many users stand behind what is taught, and what too few stand behind.
fn behind(data: &ReportData, cluster: usize) -> String {
    let Some(support) = data.support.iter().find(|s| s.cluster == cluster) else { return String::new() };
    let of =
        |shared: &Shared| format!("“{}” {} of {}", shorten(&shared.rule, 60), shared.users, support.users);
    let taught: Vec<String> = support.rules.iter().filter(|r| r.supported).take(4).map(of).collect();
    let alone = support.rules.iter().filter(|r| !r.supported).count();
    let text = format!(
        "Users behind what is trained on: {}. {alone} other rules are shared by too few; {} records are left out for them.",
        if taught.is_empty() { "none".to_owned() } else { taught.join(", ") },
        support.left_out.len()
    );
    format!("<p class='dim small'>{}</p>", escape(&text))
}

/// Win rate per epoch, and who scored.
fn verification(data: &ReportData, entry: &PlanEntry) -> String {
    let verdicts: Vec<&Verdict> = data.verdicts.iter().filter(|v| v.cluster == entry.cluster).collect();
    if verdicts.is_empty() {
        return "<h4>Win rate per epoch</h4><p class=dim>Nothing was verified for this cluster.</p>"
            .to_owned();
    }
    // A cluster can have both kinds of module, each with epochs of its own.
    let mut epochs: BTreeMap<(&str, usize), Vec<Outcome>> = BTreeMap::new();
    for v in &verdicts {
        let has = |m: &&TrainedModule| m.checkpoints.iter().any(|c| c.adapter == v.adapter);
        let kind = data.modules.iter().find(has).map_or("module", |m| m.kind.as_str());
        epochs.entry((kind, v.epoch)).or_default().push(v.outcome);
    }
    let rows: Vec<svg::Interval> = epochs
        .iter()
        .map(|((kind, epoch), outcomes)| {
            let rate = uno_learn::stats::win_rate(outcomes);
            svg::Interval {
                label: format!("{kind}, epoch {epoch}"),
                mean: rate.rate,
                low: rate.low,
                high: rate.high,
                remark: format!("n = {}", rate.known()),
                colour: colour(entry.cluster),
            }
        })
        .collect();
    let share = |by: ScoredBy| {
        100.0 * verdicts.iter().filter(|v| v.scored_by == by).count() as f64 / verdicts.len() as f64
    };
    let guarded = |guard: Guard| verdicts.iter().filter(|v| v.guard == Some(guard)).count();
    format!(
        "<h4>Win rate per epoch (dashed: what an expert needs)</h4>{}<p class='dim small'>Scored by a program {:.0} %, by the \
         judge {:.0} %, by both {:.0} %. Wins turned down: {} too short, {} collapsed, {} repetitive, {} with tags of a prompt, {} off the topic. Unknown: {}.</p>",
        svg::intervals(&rows, Some(data.settings.plan.min_win_rate), 480.0),
        share(ScoredBy::Program),
        share(ScoredBy::Judge),
        share(ScoredBy::Both),
        guarded(Guard::TooShort),
        guarded(Guard::Collapsed),
        guarded(Guard::Repetitive),
        guarded(Guard::Leaked),
        guarded(Guard::OffTopic),
        verdicts.iter().filter(|v| v.outcome == Outcome::Unknown).count(),
    )
}

/// Loss curves of the cluster's modules.
fn training(data: &ReportData, entry: &PlanEntry) -> String {
    let modules = data.modules.iter().filter(|m| m.cluster == entry.cluster);
    let charts: String = modules
        .map(|module| {
            let per_epoch = module.curve.iter().map(|p| p.step).max().unwrap_or(0) as f64
                / module.checkpoints.len().max(1) as f64;
            let mut series = vec![svg::Series {
                name: "training loss".to_owned(),
                points: module.curve.iter().map(|p| (p.step as f64, p.loss)).collect(),
                colour: colour(entry.cluster),
                dots: false,
            }];
            let validation: Vec<(f64, f64)> = module
                .checkpoints
                .iter()
                .filter_map(|c| Some((c.epoch as f64 * per_epoch, c.validation_loss?)))
                .collect();
            if !validation.is_empty() {
                series.push(svg::Series {
                    name: "held-out loss per epoch".to_owned(),
                    points: validation,
                    colour: "var(--warn)".to_owned(),
                    dots: true,
                });
            }
            let kind = match module.kind {
                AdapterKind::Expert => "Expert",
                AdapterKind::Critic => "Critic",
            };
            let note = module
                .note
                .as_ref()
                .map_or(String::new(), |n| format!("<p class='dim small'>{}</p>", escape(n)));
            format!(
                "<div><h4>{kind}: {} examples, {} held out</h4>{}{note}</div>",
                module.examples,
                module.validation,
                svg::curves(&series, "optimiser step", 480.0, 200.0)
            )
        })
        .collect();
    if charts.is_empty() { String::new() } else { format!("<div class=grid>{charts}</div>") }
}

/// Held-out questions answered by the base model and by the adapter that was promoted (or came nearest).
fn answers(data: &ReportData, entry: &PlanEntry) -> String {
    let of_cluster = || data.verdicts.iter().filter(|v| v.cluster == entry.cluster);
    let promoted = entry.adapter.as_ref().map(|a| a.name.as_str());
    let last = of_cluster().map(|v| v.epoch).max();
    let mut shown: Vec<&Verdict> = of_cluster().filter(|v| Some(v.adapter.as_str()) == promoted).collect();
    if shown.is_empty() {
        shown = of_cluster().filter(|v| Some(v.epoch) == last).collect();
    }
    let items: String = shown
        .iter()
        .take(3)
        .map(|v| {
            let record = data.records.iter().find(|r| r.id == v.record);
            let rules = data.rules.get(&v.record).map(uno_types::RuleSet::numbered).unwrap_or_default();
            format!(
                "<details><summary>{} <span class='dim small'>{}</span></summary><p class='dim small'>{}</p>\
                 <div class=answers><div><h4>base{}</h4><pre>{}</pre></div><div><h4>{}{}</h4><pre>{}</pre></div></div></details>",
                escape(&shorten(record.map_or("", |r| r.query()), 140)),
                outcome(v.outcome),
                escape(&shorten(&rules.replace('\n', " "), 240)),
                score(v.base_score),
                escape(&shorten(&v.base_answer, 1500)),
                escape(&v.adapter),
                score(v.score),
                escape(&shorten(&v.answer, 1500)),
            )
        })
        .collect();
    if items.is_empty() { String::new() } else { format!("<h4>Before and after, held-out</h4>{items}") }
}

fn score(score: Option<f64>) -> String {
    score.map_or(String::new(), |s| format!(" · score {s:.1}"))
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Win => "win",
        Outcome::Tie => "tie",
        Outcome::Loss => "loss",
        Outcome::Unknown => "unknown",
    }
}
