//! Plays the simulated logs against a real model, writes them, and measures how well distilling reads them:
//! `simulate_distil CHAT_MODEL EMBEDDER_DIR OUT_DIR [--per-domain N] [--reuse] [--rules FILE] [--pairs [--samples N]]`.
//!
//! `--rules` takes rules that were distilled before; `--pairs` goes on to candidates and pairs.
//! `--reuse` distils OUT_DIR/conversations.jsonl as it is. Prints the share of complaints that gave the right rule, with
//! and without verbatim rules, and every other rule that was kept.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use serde::Deserialize;
use uno_bench::simulate::{Domain, SimulateOptions, conversation_line, domains, held_out_line, simulate};
use uno_learn::candidates::{CandidateOptions, candidates};
use uno_learn::check;
use uno_learn::distil::{DistilOptions, distil};
use uno_learn::pairs::{PairOptions, pairs};
use uno_models::{EmbeddedChat, EmbeddedEmbedder, EmbeddedOptions};
use uno_types::{Lang, Message, Record, RuleSet, Source, Style};

#[derive(Deserialize)]
struct Line {
    id: String,
    user: Option<String>,
    messages: Vec<Message>,
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [chat, embedder, out, ..] = args.as_slice() else {
        return Err(
            "usage: simulate_distil CHAT_MODEL EMBEDDER_DIR OUT_DIR [--per-domain N] [--reuse] [--pairs]"
                .into(),
        );
    };
    let has = |flag: &str| args.iter().any(|a| a == flag);
    let value = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).cloned();
    let out = PathBuf::from(out);
    std::fs::create_dir_all(&out)?;
    let chat = EmbeddedChat::open(chat.as_ref(), EmbeddedOptions::default())?;
    let embedder = EmbeddedEmbedder::open(embedder.as_ref())?;

    let start = Instant::now();
    let records = if has("--reuse") {
        read(&out)?
    } else {
        let mut options = SimulateOptions::default();
        if let Some(n) = value("--per-domain") {
            options.per_domain = n.parse()?;
        }
        let sim = simulate(&options, &chat, &mut progress)?;
        println!("{:?} in {:.0} s", sim.counts, start.elapsed().as_secs_f64());
        let lines: String = sim.records.iter().map(|r| conversation_line(r) + "\n").collect();
        std::fs::write(out.join("conversations.jsonl"), lines)?;
        let lines: String = sim.held_out.iter().map(|h| held_out_line(h) + "\n").collect();
        std::fs::write(out.join("heldout.jsonl"), lines)?;
        sim.records
    };
    let domains = domains();
    for d in &domains {
        let own: Vec<&Record> = records.iter().filter(|r| r.id.starts_with(d.name)).collect();
        let obey = own.iter().filter(|r| check::holds(&d.check, r.first_answer())).count();
        let second = own.iter().filter(|r| r.messages.len() > 3).count();
        println!(
            "{}: {} conversations, {obey} first answers obey, {second} with a second answer",
            d.name,
            own.len()
        );
    }

    let start = Instant::now();
    let sets = match value("--rules") {
        Some(file) => std::fs::read_to_string(file)?
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<RuleSet>, _>>()?,
        None => distil(&records, &chat, &embedder, &DistilOptions::default(), &mut progress)?,
    };
    println!("distilled in {:.0} s", start.elapsed().as_secs_f64());
    grade(&records, &sets, &domains);

    if has("--pairs") {
        let start = Instant::now();
        let samples = value("--samples").map_or(Ok(3), |n| n.parse())?;
        let sampling =
            CandidateOptions { from_feedback: samples, from_rules: samples, ..CandidateOptions::default() };
        let found = candidates(&records, &sets, &chat, &sampling, &mut progress)?;
        println!(
            "{} candidates, {} spared, {} failed in {:.0} s",
            found.candidates.len(),
            found.spared,
            found.failed.len(),
            start.elapsed().as_secs_f64()
        );
        let made = pairs(&records, &sets, found.candidates, &chat, &PairOptions::default(), &mut progress)?;
        println!("{} pairs, dropped {:?}, defects {:?}", made.pairs.len(), made.dropped, made.defects);
        for d in &domains {
            let of =
                |s: Style| made.pairs.iter().filter(|p| p.record.starts_with(d.name) && p.style == s).count();
            println!(
                "{}: in log {}, by program {}, from rules {}, from feedback {}",
                d.name,
                of(Style::InLog),
                of(Style::Program),
                of(Style::FromRules),
                of(Style::FromFeedback)
            );
        }
        for p in made.pairs.iter().filter(|p| p.style != Style::InLog).take(25) {
            println!("--- {} {:?} {}\n{}", p.record, p.style, p.score, p.chosen);
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress on a terminal")]
fn progress(done: usize, total: usize) {
    if done.is_multiple_of(50) || done == total {
        eprintln!("{done}/{total}");
    }
}

fn read(dir: &std::path::Path) -> Result<Vec<Record>, Box<dyn Error>> {
    let text = std::fs::read_to_string(dir.join("conversations.jsonl"))?;
    text.lines()
        .map(|l| {
            let line: Line = serde_json::from_str(l)?;
            Ok(Record {
                id: line.id,
                lang: Lang::En,
                user: line.user,
                messages: line.messages,
                accepted: vec![],
                source: Source::default(),
            })
        })
        .collect()
}

/// Right: a kept rule of a complaint compiles to the domain's check. The teacher's own share counts its proposals,
/// also those dropped as duplicates of a verbatim rule. Everything else that was kept is printed.
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn grade(records: &[Record], sets: &[RuleSet], domains: &[Domain]) {
    let (mut all, mut right, mut verbatim, mut teacher) = (0, 0, 0, 0);
    let (mut others, mut kept, mut dropped, mut errors) = (Vec::new(), 0, [0; 3], 0);
    for (record, set) in records.iter().zip(sets) {
        let Some(d) = domains.iter().find(|d| record.id.starts_with(d.name)) else { continue };
        let said = record.feedback_turns().next().unwrap_or("");
        let complaint = d.complaints.contains(&said);
        let contradiction = d.contradictions.contains(&said);
        kept += set.with_feedback.len();
        errors += usize::from(set.error.is_some());
        set.dropped.iter().for_each(|x| dropped[x.reason as usize] += 1);
        if complaint {
            all += 1;
            let hit = set.with_feedback.iter().any(|r| r.check.as_ref() == Some(&d.check));
            right += usize::from(hit);
            verbatim += usize::from(
                set.with_feedback.iter().any(|r| r.verbatim && r.check.as_ref() == Some(&d.check)),
            );
            let compiles = |t: &str| check::compile(t).is_some_and(|c| c.check == d.check);
            let own = set.with_feedback.iter().filter(|r| !r.verbatim).map(|r| &r.text);
            teacher += usize::from(own.chain(set.dropped.iter().map(|x| &x.text)).any(|t| compiles(t)));
            if !hit {
                println!("MISSED {said:?} -> {:?} dropped {:?}", texts(set), set.dropped);
            }
        }
        for r in set.with_feedback.iter().filter(|r| r.check.as_ref() != Some(&d.check)) {
            let kind = if complaint {
                "complaint"
            } else if contradiction {
                "contradiction"
            } else {
                "NOISE"
            };
            others
                .push(format!("{kind}: {:?} <- {:?} {:.2} {:?}", r.text, r.evidence, r.similarity, r.check));
        }
    }
    others.sort();
    println!("{}", others.join("\n"));
    println!(
        "complaints {all}: right rule {right}, verbatim {verbatim}, proposed by the teacher itself {teacher}"
    );
    println!(
        "kept {kept}, of these not the house rule {}; dropped untraceable {}, duplicate {}, malformed {}; errors {errors}",
        others.len(),
        dropped[0],
        dropped[1],
        dropped[2]
    );
    for set in sets.iter().step_by(17) {
        println!("prior of {}: {:?}", set.record, set.without_feedback);
    }
}

fn texts(set: &RuleSet) -> Vec<&str> {
    set.with_feedback.iter().map(|r| r.text.as_str()).collect()
}
