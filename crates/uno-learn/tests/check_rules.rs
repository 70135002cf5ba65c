//! The compiler of rules on a hand-written table: each rule gives exactly the check beside it, or none.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is a test's report, and precision is shown"
)]

use uno_learn::check::compile;
use uno_types::Check;

fn parse(text: &str) -> Option<Check> {
    if text == "-" {
        return None;
    }
    let mut checks: Vec<Check> = text.split(" + ").map(part).collect();
    Some(if checks.len() == 1 { checks.remove(0) } else { Check::All { checks } })
}

/// "max_words 40", "min_times 3: sea", "one_of: yes|no", "table".
fn part(text: &str) -> Check {
    let (head, phrase) = text.split_once(": ").map_or((text, None), |(h, p)| (h, Some(p)));
    let (kind, n) =
        head.split_once(' ').map_or((head, None), |(k, n)| (k, Some(n.parse::<usize>().unwrap())));
    let mut value = serde_json::json!({ "kind": kind });
    if let Some(n) = n {
        for key in ["max", "min", "count"] {
            value[key] = n.into();
        }
    }
    match phrase {
        Some(options) if kind == "one_of" => value["options"] = options.split('|').collect(),
        Some(phrase) => value["text"] = phrase.into(),
        None => {}
    }
    serde_json::from_value(value).unwrap()
}

/// Order of the parts does not matter.
fn same(a: Option<&Check>, b: Option<&Check>) -> bool {
    match (a, b) {
        (Some(Check::All { checks: a }), Some(Check::All { checks: b })) => {
            a.len() == b.len() && a.iter().all(|c| b.contains(c))
        }
        (a, b) => a == b,
    }
}

fn rows(table: &str) -> Vec<(&str, &str)> {
    table.lines().filter(|l| !l.starts_with('#')).map(|l| l.split_once('\t').unwrap()).collect()
}

/// What the compiler makes of a table: precision, recall, and what went wrong, in words.
fn measured(table: &str) -> (f64, f64, String) {
    let rows = rows(table);
    let tricky = rows.iter().filter(|(expected, _)| *expected == "-").count();
    assert!(rows.len() >= 200 && tricky * 2 >= rows.len(), "{} rules, {tricky} of them tricky", rows.len());
    let (mut compiled, mut right, mut missed, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for (expected, rule) in &rows {
        let expected = parse(expected);
        let found = compile(rule).map(|c| c.check);
        compiled += usize::from(found.is_some());
        match (found.is_some(), same(found.as_ref(), expected.as_ref())) {
            (true, true) => right += 1,
            (false, false) => missed.push(*rule),
            (true, false) => wrong.push(format!("{rule:?}: {found:?} for {expected:?}")),
            (false, true) => {}
        }
    }
    let (precision, recall) = (right as f64 / compiled as f64, right as f64 / (rows.len() - tricky) as f64);
    let shown = format!(
        "{} rules, {tricky} tricky: {compiled} compiled, precision {precision:.3}, recall {recall:.3}\nwrong:\n{}\n\
         missed:\n{}",
        rows.len(),
        wrong.join("\n"),
        missed.join("\n")
    );
    eprintln!("{shown}");
    (precision, recall, shown)
}

/// Rules that the compiler's author wrote before looking at what it makes of them: a wrong check is worse than none.
#[test]
fn unseen_rules_are_compiled_rightly_or_not_at_all() {
    let (precision, recall, shown) = measured(include_str!("fixtures/rules_unseen.tsv"));
    assert!(precision >= 0.98, "{shown}");
    assert!(recall >= 0.9, "{shown}");
}

/// Rules that somebody else wrote without reading the compiler, frozen before it saw them.
#[test]
fn held_out_rules_are_compiled_rightly_or_not_at_all() {
    let (precision, _, shown) = measured(include_str!("fixtures/rules_heldout.tsv"));
    assert!(precision >= 0.98, "{shown}");
}

#[test]
fn every_rule_of_the_table() {
    let rows = rows(include_str!("fixtures/rules.tsv"));
    assert!(rows.len() >= 120, "{} rules", rows.len());
    let mut wrong = Vec::new();
    for (expected, rule) in &rows {
        let expected = parse(expected);
        let found = compile(rule).map(|c| c.check);
        if !same(found.as_ref(), expected.as_ref()) {
            wrong.push(format!("{rule:?}: {found:?} for {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
