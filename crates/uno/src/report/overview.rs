//! The page above and below the clusters: what came out, where the logs went, the map, the decisions, the costs.

use std::collections::BTreeMap;
use std::fmt::Write;

use uno_types::{DropReason, GapMethod, Path};

use super::data::ReportData;
use super::html::{colour, escape, shorten, table};
use super::svg;
use crate::learn::RuleShare;
use crate::output::{count, duration};

/// Title to decisions.
pub fn top(data: &ReportData) -> String {
    format!(
        "<h1>UNO report</h1><p class=dim>{} · embedder {} · uno {}</p>{}{}{}{}{}{}{}",
        escape(&data.plan.target),
        escape(&data.plan.embedder),
        escape(&data.manifest.program),
        rolled_back(data),
        tiles(data),
        demo(data),
        funnel(data),
        map(data),
        judge(data),
        decisions(data),
    )
}

/// That another plan answers than the one shown.
fn rolled_back(data: &ReportData) -> String {
    data.rolled_back_to.as_ref().map_or(String::new(), |id| {
        format!(
            "<p><b>Rolled back:</b> plan <code>{}</code> is in force; what is shown here was learned after it.</p>",
            escape(id)
        )
    })
}

fn tile(value: &str, label: &str) -> String {
    format!("<div class=tile><b>{}</b><span>{}</span></div>", escape(value), escape(label))
}

fn tiles(data: &ReportData) -> String {
    let by_path = |path: Path| data.plan.clusters.iter().filter(|c| c.path == path).count();
    let stages = &data.manifest.stages;
    let rules = RuleShare::of(data.rules.values());
    let paid: u64 = stages.iter().map(|s| s.tokens.paid()).sum();
    let seconds: f64 = stages.iter().map(|s| s.seconds).sum();
    let tiles = [
        tile(&count(data.records.len() as u64), "conversations"),
        tile(&count(data.pairs.len() as u64), "preference pairs"),
        tile(&format!("{:.0} %", rules.share * 100.0), "of rules checked by programs, the rest by the judge"),
        tile(&data.plan.clusters.len().to_string(), "clusters"),
        tile(&by_path(Path::Expert).to_string(), "answered by a verified expert"),
        tile(&by_path(Path::Critic).to_string(), "answered with a critic"),
        tile(&by_path(Path::Base).to_string(), "left to the base model"),
        tile(&count(paid), "tokens paid"),
        tile(&duration(seconds), "of work"),
    ];
    format!("<div class=tiles>{}</div>", tiles.concat())
}

/// Obedience before and after, where the demo measured it.
fn demo(data: &ReportData) -> String {
    let Some(demo) = &data.demo else { return String::new() };
    let number = |way: &str, key: &str| demo["obedience"][way][key].as_f64().unwrap_or(0.0);
    let ways =
        [("base", "base", "--dim"), ("uno_single", "UNO-Single", "--accent"), ("uno", "UNO", "--good")];
    let rows: Vec<svg::Interval> = ways
        .iter()
        .map(|(way, label, colour)| svg::Interval {
            label: (*label).to_owned(),
            mean: number(way, "mean"),
            low: number(way, "low"),
            high: number(way, "high"),
            remark: format!("n = {}", number(way, "n")),
            colour: format!("var({colour})"),
        })
        .collect();
    format!(
        "<h2>Before and after</h2><div class=card><p>Share of held-out questions whose answer obeys the users' house \
         rule, checked by a program, with 95 % bootstrap intervals.</p>{}</div>",
        svg::intervals(&rows, None, 1000.0)
    )
}

fn funnel(data: &ReportData) -> String {
    let with_feedback = data.records.iter().filter(|r| r.has_feedback()).count() as u64;
    let (mut kept, mut verbatim, mut checked, mut failed, mut with_rules) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut dropped: BTreeMap<&str, u64> = BTreeMap::new();
    for set in data.rules.values() {
        kept += set.with_feedback.len() as u64;
        verbatim += set.with_feedback.iter().filter(|r| r.verbatim).count() as u64;
        checked += set.with_feedback.iter().filter(|r| r.check.is_some()).count() as u64;
        failed += u64::from(set.error.is_some());
        with_rules += u64::from(!set.with_feedback.is_empty());
        for rule in &set.dropped {
            *dropped.entry(reason(rule.reason)).or_default() += 1;
        }
    }
    let reasons: Vec<String> = dropped.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    let dropped: u64 = dropped.values().sum();
    let steps = [
        ("conversations".to_owned(), data.records.len() as u64, String::new()),
        ("with something said after the answer".to_owned(), with_feedback, String::new()),
        ("with rules that were kept".to_owned(), with_rules, format!("{kept} rules")),
        ("with a better answer".to_owned(), data.pairs.len() as u64, "preference pairs".to_owned()),
    ];
    let mut notes = format!(
        "{kept} rules kept ({verbatim} in the user's own words, {checked} that a program can check), {dropped} dropped"
    );
    if dropped > 0 {
        let _ = write!(notes, ": {}", reasons.join(", "));
    }
    if failed > 0 {
        let _ = write!(notes, "; {failed} records whose distillation failed");
    }
    let mut styles: BTreeMap<&str, u64> = BTreeMap::new();
    for pair in &data.pairs {
        *styles.entry(style(pair.style)).or_default() += 1;
    }
    let styles: Vec<String> = styles.iter().map(|(style, n)| format!("{n} {style}")).collect();
    format!(
        "<h2>From logs to pairs</h2><div class=card>{}<p class='dim small'>{}.<br>Chosen answers: {}.</p></div>",
        svg::funnel(&steps),
        escape(&notes),
        escape(&styles.join(", ")),
    )
}

fn reason(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Untraceable => "not traceable to what the user wrote",
        DropReason::Duplicate => "saying what another one says",
        DropReason::Malformed => "malformed",
    }
}

fn style(style: uno_types::Style) -> &'static str {
    match style {
        uno_types::Style::FromFeedback => "answered again with the feedback",
        uno_types::Style::FromRules => "revised by rules and feedback",
        uno_types::Style::InLog => "found in the log itself",
        uno_types::Style::Program => "reshaped by a program",
        uno_types::Style::Fresh => "answered afresh and reshaped by a program",
    }
}

fn map(data: &ReportData) -> String {
    let queries: std::collections::HashMap<&str, &str> =
        data.records.iter().map(|r| (r.id.as_str(), r.query())).collect();
    let points: Vec<svg::MapPoint> = data
        .clusters
        .points
        .iter()
        .map(|p| svg::MapPoint {
            cluster: p.cluster,
            x: f64::from(p.x),
            y: f64::from(p.y),
            title: format!(
                "cluster {}: {}",
                p.cluster,
                shorten(queries.get(p.record.as_str()).unwrap_or(&""), 120)
            ),
            solid: p.has_rules,
        })
        .collect();
    format!(
        "<h2>Map of the clusters</h2><div class=card>{}<p class='dim small'>Query embeddings on their two main axes \
         (a projection: distances are only roughly kept). Clusters come from queries and rules together, cut at Ward \
         distance {}. Hollow: records without rules, joined to the nearest cluster.</p></div>",
        svg::map(&points),
        data.clusters.threshold,
    )
}

/// How far the judge's verdicts can be trusted.
fn judge(data: &ReportData) -> String {
    let Some(judge) = &data.judge else { return String::new() };
    let row = |label: &str, a: &uno_learn::judge::Accuracy| svg::Interval {
        label: label.to_owned(),
        mean: a.rate,
        low: a.low,
        high: a.high,
        remark: format!("n = {}", a.known()),
        colour: format!("var(--{})", if a.beats_chance() { "good" } else { "dim" }),
    };
    let rows = [
        row("scoring", &judge.scoring),
        row("users' cases", &judge.scoring_by_user),
        row("programs' cases", &judge.scoring_by_program),
        row("choosing", &judge.choosing),
    ];
    let shown: Vec<svg::Interval> = rows.into_iter().filter(|r| r.remark != "n = 0").collect();
    let chart = if shown.is_empty() { String::new() } else { svg::intervals(&shown, Some(0.5), 1000.0) };
    format!("<h2>The judge, judged</h2><div class=card><p>{}</p>{chart}</div>", escape(&judge.words))
}

fn decisions(data: &ReportData) -> String {
    let threshold = data.settings.plan.gap_threshold;
    let rows: Vec<Vec<String>> = data
        .plan
        .clusters
        .iter()
        .map(|entry| {
            let gap = entry.gap.map_or("<span class=dim>not measured</span>".to_owned(), |gap| {
                format!("{}<span class=small>{gap:.2}</span>", svg::threshold_bar(gap, threshold))
            });
            let win = entry.win_rate.map_or("<span class=dim>–</span>".to_owned(), |w| {
                format!(
                    "{:.0} % <span class='dim small nowrap'>[{:.0}, {:.0}]</span>",
                    w.rate * 100.0,
                    w.low * 100.0,
                    w.high * 100.0
                )
            });
            vec![
                format!(
                    "<span class=dot style='background:{}'></span>{}",
                    colour(entry.cluster),
                    entry.cluster
                ),
                entry.size.to_string(),
                gap,
                win,
                badge(entry.path),
                escape(&entry.reason),
            ]
        })
        .collect();
    let method = match data.gaps.values().map(|g| g.method).next() {
        Some(GapMethod::Reranker) => "a reranker that passed its self-test",
        Some(GapMethod::EmbeddingCoverage) => {
            "embedding coverage: 1 − the calibrated best cosine between a rule and the model's own rules. No reranker \
             model is configured, so take it as an estimate"
        }
        None => "nothing: no cluster has both kinds of rules",
    };
    format!(
        "<h2>Decisions</h2><div class=card>{}<p class='dim small'>Gap: how new the feedback is to the model; the mark is \
         the threshold of {threshold}. Measured by {}. Win rate: of the best checkpoint against the base model on held-out \
         logs, with 95 % interval.</p></div>",
        table(&["cluster", "records", "gap", "win rate", "answers", "why"], &[1], &rows),
        escape(method),
    )
}

/// The path as a coloured word.
pub fn badge(path: Path) -> String {
    format!("<span class='badge {0}'>{0}</span>", path.as_str())
}

/// Time and tokens of each stage.
pub fn costs(data: &ReportData) -> String {
    let stages = &data.manifest.stages;
    let rows: Vec<Vec<String>> = stages
        .iter()
        .map(|s| {
            vec![
                escape(&s.name),
                duration(s.seconds),
                count(s.tokens.paid_calls),
                count(s.tokens.paid_prompt),
                count(s.tokens.paid_completion),
                count(s.tokens.reused_calls),
            ]
        })
        .collect();
    let models: Vec<String> =
        data.manifest.models.iter().map(|(role, m)| format!("{}: {}", escape(role), escape(&m.id))).collect();
    format!(
        "<h2>What it cost</h2><div class=card>{}<p class='dim small'>{}<br>Peak memory {:.0} MiB.</p></div>",
        table(
            &["stage", "time", "generations paid", "prompt tokens", "completion tokens", "reused from cache"],
            &[1, 2, 3, 4, 5],
            &rows
        ),
        models.join("<br>"),
        data.manifest.peak_rss_mib,
    )
}
