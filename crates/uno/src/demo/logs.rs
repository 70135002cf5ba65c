//! The example logs, compiled in, so that an installed binary needs no checkout.

use anyhow::Context;
use uno_bench::simulate::{HeldOutQuestion, parse_held_out};

const CONVERSATIONS: &str = include_str!("../../../../examples/logs/conversations.jsonl");
const HELD_OUT: &str = include_str!("../../../../examples/logs/heldout.jsonl");

/// The quick demo has fewer domains rather than fewer conversations in each: proof needs held-out records.
const QUICK_DOMAINS: [&str; 3] = ["cooking", "health", "travel"];
/// Of each domain, in the quick demo.
const QUICK_CONVERSATIONS: usize = 22;
const QUICK_QUESTIONS: usize = 8;

/// Example logs.
pub struct Logs {
    /// OpenAI-chat JSON lines.
    pub text: String,
    /// Lines in it.
    pub conversations: usize,
    /// Questions on topics that no conversation mentions.
    pub held_out: Vec<HeldOutQuestion>,
}

/// The example logs; with `quick` the first few of each domain.
///
/// # Errors
/// When the files in the binary are damaged.
pub fn logs(quick: bool) -> anyhow::Result<Logs> {
    let held_out = parse_held_out(HELD_OUT).context("examples/logs/heldout.jsonl")?;
    let lines: Vec<&str> = CONVERSATIONS.lines().filter(|l| !l.trim().is_empty()).collect();
    if !quick {
        return Ok(Logs { text: CONVERSATIONS.to_owned(), conversations: lines.len(), held_out });
    }
    // Ids begin with the domain: `cooking-007`, `cooking-held-out-03`.
    let domain = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    let mut seen = std::collections::HashMap::new();
    let mut first = |domain: String, limit: usize| {
        QUICK_DOMAINS.contains(&domain.as_str()) && {
            let n = seen.entry((domain, limit)).or_insert(0);
            *n += 1;
            *n <= limit
        }
    };
    let mut kept = Vec::new();
    for line in lines {
        let value: serde_json::Value =
            serde_json::from_str(line).context("examples/logs/conversations.jsonl")?;
        if first(domain(value["id"].as_str().unwrap_or_default()), QUICK_CONVERSATIONS) {
            kept.push(line);
        }
    }
    let held_out = held_out.into_iter().filter(|q| first(q.domain.clone(), QUICK_QUESTIONS)).collect();
    Ok(Logs { text: kept.join("\n") + "\n", conversations: kept.len(), held_out })
}
