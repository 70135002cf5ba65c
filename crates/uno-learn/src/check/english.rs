//! Reading English demands.

use std::sync::LazyLock;

use regex::Regex;
use uno_types::Check;

use super::clause::{self, Masked};
use super::leftover::{self, HOLE};
use super::number::digits;
use super::patterns::{PATTERNS, Scope};
use super::text::regex;

/// Confidence of the usual wordings.
const PLAIN: f32 = 0.95;
/// Confidence of phrases without quotation marks, and of complaints that were turned round.
const INDIRECT: f32 = 0.85;

/// All checks that `text` demands with their confidences; `None` when it demands anything else as well.
pub(super) fn compile(text: &str) -> Option<Vec<(Check, f32)>> {
    let (mut masked, unquoted) = quote_tail(clause::mask(text));
    // Its dots would end sentences.
    masked.text = masked.text.replace("p.s.", "postscript");
    masked.text = INTRODUCED.replace_all(&masked.text, "$1 ").into_owned();
    let base = if unquoted { INDIRECT } else { PLAIN };
    let mut found = Vec::new();
    for sentence in clause::sentences(&masked.text) {
        if leftover::is_about_some(&sentence) {
            return None;
        }
        let found_before = found.len();
        for clause in clauses(&digits(&sentence)) {
            let clause = leftover::without_reason(&clause);
            if clause.is_empty() || (has_code_first(&found) && leftover::is_code_aftermath(&clause)) {
                continue;
            }
            let parts = read(&clause, &masked.quotes)?;
            let trails = parts.is_empty() && found.len() > found_before;
            if trails && !leftover::is_appendix(&leftover::without_void(&clause)) {
                return None;
            }
            found.extend(parts.into_iter().map(|(check, confidence)| (check, confidence.min(base))));
        }
    }
    Some(found)
}

/// Words that a colon or comma parts from what they belong to.
static INTRODUCED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?m)((?:max(?:imum)?|min(?:imum)?) length|length|^at the (?:very )?end)\s?[:,] ")
});

fn has_code_first(found: &[(Check, f32)]) -> bool {
    found.iter().any(|(c, _)| *c == Check::CodeFirst)
}

/// Commas part clauses, except between quoted phrases.
fn clauses(sentence: &str) -> Vec<String> {
    let joined = sentence
        .replace(", QUOTE", " and QUOTE")
        .replace(", and QUOTE", " and QUOTE")
        .replace(", not ", " not ");
    joined.split([',', '(', ')']).map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()).collect()
}

/// The checks of one clause: empty when it demands nothing, `None` when it demands what no check covers.
fn read(clause: &str, quotes: &[String]) -> Option<Vec<(Check, f32)>> {
    let plain = leftover::without_void(clause);
    let other = leftover::is_permission_or_report(&plain) || leftover::asks_for_more(&plain);
    if other && properties(&plain, quotes, false).is_some() {
        return None;
    }
    if let Some(checks) = properties(&plain, quotes, false) {
        return Some(checks.into_iter().map(|c| (c, PLAIN)).collect());
    }
    if let Some(checks) = leftover::complaint(&plain).and_then(|c| properties(&c, quotes, true)) {
        return Some(checks.into_iter().map(|c| (c, INDIRECT)).collect());
    }
    leftover::is_idle(&plain).then(Vec::new)
}

static LISTED_QUOTES: LazyLock<Regex> = LazyLock::new(|| regex(r"§(?:\s+(?:and|or|nor)\s+QUOTE(\d))+"));
static ANOTHER_QUOTE: LazyLock<Regex> = LazyLock::new(|| regex(r"QUOTE(\d)"));

/// The properties named in a clause, at least one, when nothing but filler surrounds them.
fn properties(clause: &str, quotes: &[String], complaint: bool) -> Option<Vec<Check>> {
    let mut rest = clause.to_owned();
    let (mut checks, mut scope) = (Vec::new(), Scope::Part);
    for pattern in PATTERNS.iter() {
        let Some(captures) = pattern.regex.captures(&rest) else { continue };
        let check = (pattern.build)(&captures, quotes)?;
        // A complaint about a quantity may as well be praise for keeping to it.
        if complaint && !can_be_missed(&check) {
            return None;
        }
        let (start, end) = captures.get(0).map(|m| (m.start(), m.end()))?;
        rest = format!("{} {HOLE} {}", &rest[..start], &rest[end..]);
        if let Check::Excludes { .. } = check {
            let more = LISTED_QUOTES.find(&rest).map(|m| (m.range(), m.as_str().to_owned()));
            if let Some((range, listed)) = more {
                for c in ANOTHER_QUOTE.captures_iter(&listed) {
                    let phrase = quotes.get(c[1].parse::<usize>().ok()?)?;
                    checks.push(Check::Excludes { text: phrase.clone() });
                }
                rest.replace_range(range, HOLE);
            }
        }
        if pattern.scope == Scope::Answer {
            scope = Scope::Answer;
        }
        match check {
            Check::All { checks: parts } => checks.extend(parts),
            check => checks.push(check),
        }
    }
    if checks.is_empty() {
        return None;
    }
    let aftermath = checks.contains(&Check::CodeFirst)
        && rest.split_once(HOLE).is_some_and(|(before, after)| {
            leftover::is_filler(before) && leftover::is_code_aftermath(after.trim())
        });
    let clear = match scope {
        Scope::Answer => leftover::is_filler(&rest),
        Scope::Part => leftover::is_filler_or_content(&rest),
    };
    (aftermath || clear).then_some(checks)
}

fn can_be_missed(check: &Check) -> bool {
    matches!(
        check,
        Check::NumberedList
            | Check::BulletList
            | Check::Table
            | Check::Code
            | Check::CodeFirst
            | Check::StartsWith { .. }
            | Check::EndsWith { .. }
            | Check::Contains { .. }
            | Check::EndsWithQuestion
    )
}

static TAIL: LazyLock<Regex> = LazyLock::new(|| {
    // "end with: Not financial advice." and "end with the line Not financial advice."
    regex(
        r"(?x) \b (?i: (?:end|ends|ending|finish|close|conclude|sign\ off|start|starts|begin|open)
              (?:\s(?:it|this|(?:your|the|all|all\ your|every|each)\s(?:answers?|replies|reply|responses?|messages?)))?
              \s with (?: \s? : | \s (?:the\ |this\ )?(?:exact\ )?(?:words?|line|phrase|sentence|disclaimer|text|note|reminder)\s? :? | (?:\s the)? ) )
          \s (?P<tail> [A-Z] [^\n:\x22]{2,80} ) $",
    )
});
static TAIL_END: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)[.!?]\s|,| (?:and|but|when|if|so|because|please|every|each|at|in|to)\b"));

/// Puts the rest of the text after "end with" between quotation marks when it is a capitalised phrase. Second value:
/// whether that was done.
fn quote_tail(mut masked: Masked) -> (Masked, bool) {
    if !masked.quotes.is_empty() {
        return (masked, false);
    }
    let Some(tail) = TAIL.captures(&masked.original).and_then(|c| c.name("tail")) else {
        return (masked, false);
    };
    let phrase = tail.as_str().trim();
    let known =
        ["JSON", "I ", "Markdown", "English", "Chinese", "Python"].iter().any(|w| phrase.starts_with(w));
    if known || TAIL_END.is_match(phrase) || phrase.split_whitespace().count() < 2 {
        return (masked, false);
    }
    let head = masked.original[..tail.start()].trim_end().trim_end_matches(':').to_lowercase();
    masked.quotes.push(phrase.to_owned());
    masked.text = format!("{head} QUOTE0");
    (masked, true)
}
