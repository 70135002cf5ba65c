//! What IFEval's taxonomy counts beyond length and lists: titles, highlights, placeholders, postscripts, capitals …

use std::sync::LazyLock;

use regex::Regex;

use super::text::{self, Line, folded, regex};

static HEADING: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s{0,3}#{1,6}\s+\S"));

/// Markdown headings outside code.
pub(super) fn headings(answer: &str) -> usize {
    let lines = answer.lines().zip(text::lines(answer));
    lines.filter(|(line, kind)| *kind != Line::Code && HEADING.is_match(line)).count()
}

static EMPHASIS: LazyLock<Regex> = LazyLock::new(|| {
    // Bold first, so that its asterisks are not read as italics.
    regex(r"\*\*[^*\n]+\*\*|__[^_\n]+__|\*[^\s*][^*\n]*\*|\b_[^\s_][^_\n]*_\b")
});

/// Passages in bold or italics outside code.
pub(super) fn highlights(answer: &str) -> usize {
    let lines = answer.lines().zip(text::lines(answer));
    lines.filter(|(_, kind)| *kind != Line::Code).map(|(line, _)| EMPHASIS.find_iter(line).count()).sum()
}

static INLINE: LazyLock<Regex> = LazyLock::new(|| regex(r"`[^`\n]+`|\]\([^)\s]+\)"));

/// Whether there is any Markdown but tables. Numbered lists are plain text, too.
pub(super) fn has_markdown(answer: &str) -> bool {
    let bullets =
        text::lines(answer).into_iter().any(|l| matches!(l, Line::Item { number: None, .. } | Line::Code));
    bullets || headings(answer) > 0 || highlights(answer) > 0 || INLINE.is_match(answer)
}

static TITLE: LazyLock<Regex> = LazyLock::new(|| regex(r"^[\s#*]*<<[^<>\n]+>>[\s*]*$"));

/// Whether the first line is `<<title>>`.
pub(super) fn has_title(answer: &str) -> bool {
    answer.lines().find(|l| !l.trim().is_empty()).is_some_and(|l| TITLE.is_match(l))
}

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| regex(r"\[[^\[\]\n]+\]"));

/// Placeholders in square brackets; the text of a link is none.
pub(super) fn placeholders(answer: &str) -> usize {
    let is_link = |end: usize| answer[end..].starts_with('(');
    PLACEHOLDER.find_iter(answer).filter(|m| !is_link(m.end())).count()
}

/// Whether a line in the second half of the answer begins with `mark` and something follows it.
pub(super) fn has_postscript(answer: &str, mark: &str) -> bool {
    let bare =
        |s: &str| s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let mark = bare(mark);
    let lines: Vec<String> =
        answer.lines().filter(|l| !l.trim().is_empty()).map(|l| bare(&text::unmarked(l))).collect();
    !mark.is_empty()
        && lines.iter().enumerate().skip(1).any(|(i, line)| {
            i * 2 >= lines.len() && line.strip_prefix(&mark).is_some_and(|rest| !rest.is_empty())
        })
}

/// Whether the whole answer stands in one pair of double quotation marks.
pub(super) fn is_quoted(answer: &str) -> bool {
    let answer = answer.trim();
    let inner = [("\"", "\""), ("“", "”"), ("「", "」")]
        .iter()
        .find_map(|(open, close)| answer.strip_prefix(open)?.strip_suffix(close));
    inner.is_some_and(|inner| !inner.trim().is_empty())
}

/// Whether a line of six asterisks parts two different texts.
pub(super) fn has_two_answers(answer: &str) -> bool {
    let parts: Vec<String> = answer
        .split("******")
        .map(|p| folded(p.trim_matches(|c: char| c == '*' || c.is_whitespace())))
        .collect();
    matches!(&parts[..], [a, b] if !a.is_empty() && !b.is_empty() && a != b)
}

/// Whether the answer is one of `options`, but for case, markup and end marks.
pub(super) fn is_one_of(answer: &str, options: &[String]) -> bool {
    let bare = |s: &str| folded(&text::unmarked(s)).trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let answer = bare(answer.trim());
    !answer.is_empty() && options.iter().any(|o| bare(o) == answer)
}

/// How often the letter occurs, in either case.
pub(super) fn letters(answer: &str, letter: &str) -> usize {
    let letter = letter.to_lowercase();
    if letter.is_empty() { 0 } else { answer.to_lowercase().matches(&letter).count() }
}

/// Words of two letters or more that are all upper case.
pub(super) fn capital_words(answer: &str) -> usize {
    let plain = text::plain(answer);
    let words = plain.split(|c: char| !c.is_alphanumeric() && c != '\'');
    let is_capital =
        |w: &&str| w.chars().filter(|c| c.is_uppercase()).count() >= 2 && !w.chars().any(char::is_lowercase);
    words.filter(is_capital).count()
}

/// Paragraph `n` (from 1) between blank lines.
pub(super) fn paragraph(answer: &str, n: usize) -> Option<&str> {
    let mut blocks = BLANK.split(answer.trim()).map(str::trim).filter(|p| !p.is_empty());
    blocks.nth(n.checked_sub(1)?)
}

static BLANK: LazyLock<Regex> = LazyLock::new(|| regex(r"\n[ \t]*\n\s*|\n[ \t]*(?:\*{3}|-{3})[ \t]*\n"));
