//! Rules that a program can check: from a rule's text to a [`Check`], and from a check and an answer to yes or no.
//!
//! A wrong check is worse than none, for a program's verdict is believed. So [`compile`] reads a rule as a whole: the
//! words that name a checkable property are taken out, and what is left must be known to demand nothing more, to
//! hedge nothing ("about", "or so"), to tie the property to no part of the answer ("each bullet", "the title") and to
//! no condition ("if I ask for code"). Anything else is left to the judge.

mod chinese;
mod chinese_more;
mod clause;
mod english;
pub(crate) mod language;
mod leftover;
mod limit;
mod number;
mod patterns;
mod patterns_more;
mod run;
mod taxonomy;
mod text;

pub use limit::longest;
pub use run::holds;
use uno_types::Check;

/// A rule that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The check; [`Check::All`] when the rule asks for several things.
    pub check: Check,
    /// 0 to 1: how plainly the rule says so. 0.95 for the usual wordings, 0.85 where a phrase stands without quotation
    /// marks or a complaint has to be turned round.
    pub confidence: f32,
}

/// Rules longer than this, in characters, are not tried: they say more than a check can hold.
const MAX_CHARS: usize = 400;

/// Compiles the text of a rule or of a user's demand, in English or Chinese. `None` unless all of what it demands can
/// be checked.
pub fn compile(text: &str) -> Option<Compiled> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_CHARS {
        return None;
    }
    // The language of the demand, not of the phrase that it quotes.
    let is_chinese = clause::mask(text).text.contains(|c| ('\u{4E00}'..='\u{9FA5}').contains(&c));
    let parts = if is_chinese { chinese::compile(text)? } else { english::compile(text)? };
    combine(parts)
}

/// One check for all parts; `None` without parts and when they contradict each other.
fn combine(parts: Vec<(Check, f32)>) -> Option<Compiled> {
    let confidence = parts.iter().map(|p| p.1).fold(1.0, f32::min);
    let mut checks: Vec<Check> = Vec::new();
    for (check, _) in parts {
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    for (i, a) in checks.iter().enumerate() {
        if checks[i + 1..].iter().any(|b| contradict(a, b)) {
            return None;
        }
    }
    match checks.len() {
        0 => None,
        1 => checks.pop().map(|check| Compiled { check, confidence }),
        _ => Some(Compiled { check: Check::All { checks }, confidence }),
    }
}

/// Whether no sensible answer has both properties.
pub(crate) fn contradict(a: &Check, b: &Check) -> bool {
    use Check::{
        BulletList, Chinese, English, ListItems, LowerCase, NoBulletList, NoCode, NoList, NumberedList,
    };
    use Check::{Code, CodeFirst, EndsWith, EndsWithQuestion, MaxWords, MinWords, StartsWith, UpperCase};
    use Check::{
        Headings, Highlights, Json, Language, NoHeadings, NoMarkdown, NoNumberedList, NoQuestions, NoTable,
        Table,
    };
    use Check::{
        MaxChars, MaxListItems, MaxParagraphs, MaxSentences, MinChars, MinListItems, MinParagraphs,
        MinSentences,
    };
    let one_way = |a: &Check, b: &Check| match (a, b) {
        (NoList, NumberedList | BulletList | ListItems { .. })
        | (NoBulletList, BulletList)
        | (BulletList, NumberedList)
        | (NoCode, Code | CodeFirst)
        | (Chinese, English)
        | (LowerCase, UpperCase)
        | (CodeFirst, StartsWith { .. })
        | (EndsWith { .. }, EndsWithQuestion)
        | (NoList, MinListItems { .. } | MaxListItems { .. })
        | (NoNumberedList, NumberedList)
        | (NoTable, Table)
        | (NoHeadings, Headings { .. })
        | (NoQuestions, EndsWithQuestion)
        | (NoMarkdown, BulletList | Table | Headings { .. } | Highlights { .. } | Code | CodeFirst)
        | (Language { .. }, Chinese | English)
        | (Json, NumberedList | BulletList | Table | StartsWith { .. } | EndsWith { .. }) => true,
        (MinWords { min }, MaxWords { max })
        | (MinSentences { min }, MaxSentences { max })
        | (MinParagraphs { min }, MaxParagraphs { max })
        | (MinChars { min }, MaxChars { max })
        | (MinListItems { min }, MaxListItems { max }) => min > max,
        // Two bounds, two openings or two closings: one of them was misread or is about a part of the answer.
        _ => a != b && std::mem::discriminant(a) == std::mem::discriminant(b) && !repeatable(a),
    };
    one_way(a, b) || one_way(b, a)
}

fn repeatable(check: &Check) -> bool {
    matches!(
        check,
        Check::Contains { .. }
            | Check::Excludes { .. }
            | Check::MinTimes { .. }
            | Check::MaxTimes { .. }
            | Check::MinLetter { .. }
            | Check::ParagraphStartsWith { .. }
            | Check::NotStartsWith { .. }
            | Check::NotEndsWith { .. }
    )
}
