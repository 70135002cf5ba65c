//! The compiler of rules on a hand-written table: each rule gives exactly the check beside it, or none.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use uno_learn::check::compile;
use uno_types::Check;

fn parse(text: &str) -> Option<Check> {
    if text == "-" {
        return None;
    }
    let mut checks: Vec<Check> = text.split(" + ").map(part).collect();
    Some(if checks.len() == 1 { checks.remove(0) } else { Check::All { checks } })
}

fn part(text: &str) -> Check {
    let (kind, argument) = match text.split_once(": ") {
        Some((kind, phrase)) => (kind, Some(serde_json::json!({ "text": phrase }))),
        None => match text.split_once(' ') {
            Some((kind, n)) => {
                let n: usize = n.parse().unwrap();
                (kind, Some(serde_json::json!({ "max": n, "min": n, "count": n })))
            }
            None => (text, None),
        },
    };
    let mut value = argument.unwrap_or_else(|| serde_json::json!({}));
    value["kind"] = kind.into();
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

#[test]
fn every_rule_of_the_table() {
    let table = include_str!("fixtures/rules.tsv");
    let rows: Vec<(&str, &str)> =
        table.lines().filter(|l| !l.starts_with('#')).map(|l| l.split_once('\t').unwrap()).collect();
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
