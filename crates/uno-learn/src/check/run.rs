//! Running a check on an answer.

use std::sync::LazyLock;

use regex::Regex;
use uno_types::Check;

use super::text::{self, folded, regex};
use super::{language, taxonomy};

/// Whether `answer` has the property. Markdown's markup does not stand in the way: bold or quoted phrases, headings,
/// nested lists. An empty answer has no property at all.
pub fn holds(check: &Check, answer: &str) -> bool {
    if answer.trim().is_empty() {
        return false;
    }
    match check {
        Check::MaxWords { max } => text::count_words(answer) <= *max,
        Check::MinWords { min } => text::count_words(answer) >= *min,
        Check::MaxSentences { max } => text::count_sentences(answer) <= *max,
        Check::Sentences { count } => text::count_sentences(answer) == *count,
        Check::Paragraphs { count } => text::count_paragraphs(answer) == *count,
        Check::NumberedList => matches!(text::outer_items(answer), (2.., true)),
        Check::BulletList => bullets(answer) >= 2,
        Check::ListItems { count } => text::outer_items(answer).0 == *count,
        Check::NoList => text::outer_items(answer).0 < 2,
        Check::NoBulletList => bullets(answer) < 2,
        Check::Table => has_table(answer),
        Check::Code => answer.lines().any(text::is_fence),
        Check::CodeFirst => answer.lines().find(|l| !l.trim().is_empty()).is_some_and(text::is_fence),
        Check::NoCode => !has_code(answer),
        Check::Json => is_json(answer),
        Check::StartsWith { text } => starts_with(answer, text),
        Check::EndsWith { text } => ends_with(answer, text),
        Check::Contains { text } => contains(answer, text),
        Check::Excludes { text } => !contains(answer, text),
        Check::LowerCase => has_letters(answer) && !answer.chars().any(char::is_uppercase),
        Check::UpperCase => has_letters(answer) && !answer.chars().any(char::is_lowercase),
        Check::EndsWithQuestion => ends_with_question(answer),
        Check::Chinese => language::is_chinese(&text::prose(answer)),
        Check::English => language::is_english(&text::prose(answer)),
        Check::NoEmoji => !answer.chars().any(is_emoji),
        Check::MinSentences { min } => text::count_sentences(answer) >= *min,
        Check::MaxParagraphs { max } => text::count_paragraphs(answer) <= *max,
        Check::MinParagraphs { min } => text::count_paragraphs(answer) >= *min,
        Check::MaxChars { max } => answer.trim().chars().count() <= *max,
        Check::MinChars { min } => answer.trim().chars().count() >= *min,
        Check::MaxListItems { max } => (1..=*max).contains(&text::outer_items(answer).0),
        Check::MinListItems { min } => text::outer_items(answer).0 >= *min,
        Check::NoNumberedList => !matches!(text::outer_items(answer), (2.., true)),
        Check::NoTable => !has_table(answer),
        Check::Headings { min } => taxonomy::headings(answer) >= *min,
        Check::NoHeadings => taxonomy::headings(answer) == 0,
        Check::NoMarkdown => !taxonomy::has_markdown(answer) && !has_table(answer),
        Check::Title => taxonomy::has_title(answer),
        Check::Highlights { min } => taxonomy::highlights(answer) >= *min,
        Check::Placeholders { min } => taxonomy::placeholders(answer) >= *min,
        Check::Postscript { text } => taxonomy::has_postscript(answer, text),
        Check::Quoted => taxonomy::is_quoted(answer),
        Check::TwoAnswers => taxonomy::has_two_answers(answer),
        Check::OneOf { options } => taxonomy::is_one_of(answer, options),
        Check::MinTimes { text, min } => times(answer, text) >= *min,
        Check::MaxTimes { text, max } => times(answer, text) <= *max,
        Check::MinLetter { text, min } => taxonomy::letters(answer, text) >= *min,
        Check::MinCapitalWords { min } => taxonomy::capital_words(answer) >= *min,
        Check::MaxCapitalWords { max } => taxonomy::capital_words(answer) <= *max,
        Check::ParagraphStartsWith { count, text } => {
            taxonomy::paragraph(answer, *count).is_some_and(|p| starts_with(p, text))
        }
        Check::NotStartsWith { text } => !starts_with(answer, text),
        Check::NotEndsWith { text } => !ends_with(answer, text),
        Check::NoCommas => !answer.contains([',', '，', '、']),
        Check::NoExclamation => !answer.contains(['!', '！']),
        Check::NoQuestions => !text::prose(answer).contains(['?', '？']),
        Check::Language { text: code } => language::is_in(code, &text::prose(answer)),
        Check::All { checks } => checks.iter().all(|c| holds(c, answer)),
    }
}

fn bullets(answer: &str) -> usize {
    let items = text::lines(answer);
    items.iter().filter(|l| matches!(l, text::Line::Item { number: None, .. })).count()
}

fn has_table(answer: &str) -> bool {
    let lines: Vec<&str> = answer.lines().collect();
    lines.windows(2).any(|w| w[0].contains('|') && text::is_table_rule(w[1]))
}

static INLINE_CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"`[^`\n]+`"));
static BARE_CODE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?m)^\s*(?:(?:def|class)\s+\w+.*:|#include\s*[<\x22].*|(?:from\s+\w+\s+)?import\s+[\w.]+|.*[;{}])\s*$",
    )
});

fn has_code(answer: &str) -> bool {
    answer.lines().any(text::is_fence) || INLINE_CODE.is_match(answer) || BARE_CODE.is_match(answer)
}

/// Whether the whole answer is a JSON object or array, bare or in one code block.
fn is_json(answer: &str) -> bool {
    let mut body = answer.trim();
    if let Some(inner) = body.strip_prefix("```").and_then(|b| b.strip_suffix("```")) {
        body = inner.split_once('\n').map_or(inner, |(_, rest)| rest);
    }
    let value = serde_json::from_str::<serde_json::Value>(body.trim());
    value.is_ok_and(|v| v.is_object() || v.is_array())
}

/// White space and marks that may stand around an opening or closing phrase.
fn is_wrapping(c: char) -> bool {
    c.is_whitespace() || "\"'()[]«»「」『』…".contains(c)
}

/// Ends of sentences, which "ends with X." does not insist on.
fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '。' | '！')
}

fn starts_with(answer: &str, phrase: &str) -> bool {
    let answer = folded(&text::plain(answer));
    let phrase = folded(&text::unmarked(phrase));
    let answer = answer.trim_start_matches(is_wrapping);
    let phrase = phrase.trim_matches(is_wrapping);
    let rest = answer.strip_prefix(phrase);
    !phrase.is_empty()
        && rest.is_some_and(|rest| is_boundary(phrase.chars().next_back(), rest.chars().next()))
}

fn ends_with(answer: &str, phrase: &str) -> bool {
    let outer = |c: char| is_wrapping(c) || is_stop(c) || is_emoji(c);
    let answer = folded(&text::plain(answer));
    let phrase = folded(&text::unmarked(phrase));
    let phrase = phrase.trim_start_matches(is_wrapping);
    let bare = phrase.trim_end_matches(outer);
    let (answer, phrase) = match bare {
        // Nothing but stops and emoji: compare them as they are.
        "" => (answer.trim_end(), phrase.trim_end()),
        bare => (answer.trim_end_matches(outer), bare),
    };
    let rest = answer.strip_suffix(phrase);
    !phrase.is_empty()
        && rest.is_some_and(|rest| is_boundary(rest.chars().next_back(), phrase.chars().next()))
}

fn contains(answer: &str, phrase: &str) -> bool {
    // Both with and without markup, so that a phrase may itself hold marks such as "snake_case".
    let phrase = folded(phrase);
    let phrase = phrase.trim();
    !phrase.is_empty() && [folded(answer), folded(&text::plain(answer))].iter().any(|a| occurs(a, phrase))
}

fn occurs(text: &str, phrase: &str) -> bool {
    occurrences(text, phrase) > 0
}

/// How often the phrase stands in the readable text.
fn times(answer: &str, phrase: &str) -> usize {
    let phrase = folded(phrase);
    let phrase = phrase.trim();
    if phrase.is_empty() { 0 } else { occurrences(&folded(&text::plain(answer)), phrase) }
}

fn occurrences(text: &str, phrase: &str) -> usize {
    let whole = text.match_indices(phrase).filter(|(start, found)| {
        let start = *start;
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        is_boundary(before, phrase.chars().next()) && is_boundary(phrase.chars().next_back(), after)
    });
    whole.count()
}

/// Whether a word ends between `a` and `b`. CJK characters are words by themselves.
fn is_boundary(a: Option<char>, b: Option<char>) -> bool {
    let in_word = |c: char| c.is_alphanumeric() && !('\u{2E80}'..='\u{9FFF}').contains(&c);
    !(a.is_some_and(in_word) && b.is_some_and(in_word))
}

fn has_letters(answer: &str) -> bool {
    answer.chars().any(char::is_alphabetic)
}

fn ends_with_question(answer: &str) -> bool {
    let plain = text::plain(answer);
    let end = plain.trim_end_matches(|c: char| is_wrapping(c) || is_emoji(c) || "”’".contains(c));
    end.ends_with(['?', '？'])
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{1F1E6}'..='\u{1F1FF}' | '\u{2B50}' | '\u{2B55}'
        | '\u{FE0F}')
}
