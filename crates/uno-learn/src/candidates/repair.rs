//! Revision by a program: the first answer reshaped until it obeys rules that a program can check (beyond the method).
//!
//! A weak teacher seldom obeys "at most 40 words", and when it does it is often by writing something else. But a program
//! that can check such a rule can mostly also bring it about, with the model's own sentences: cut at a sentence's end,
//! number them, put the code first, add the closing line. Such a candidate costs no generation and stays close to what
//! the model writes anyway, which is what a small adapter learns best.

use std::collections::HashSet;

use uno_types::Check;

use crate::check::holds;
use crate::distil::sentence::split;
use crate::guards::is_repetitive;

/// Longest text made, in words, when no rule says otherwise.
const MAX_WORDS: usize = 80;

/// Fewest words of the model's own that must be left.
const MIN_WORDS: usize = 6;

/// The same where no rule asks for brevity: an adapter that is shown one sentence and the closing line soon writes the
/// closing line alone.
const MIN_FREE_WORDS: usize = 20;

/// `answer` reshaped so that all of `checks` hold; `None` when that cannot be done with its own sentences.
pub fn repair(checks: &[&Check], answer: &str) -> Option<String> {
    let checks: Vec<&Check> = checks.iter().flat_map(|c| c.parts()).collect();
    let shape = Shape::of(&checks)?;
    let text = shape.apply(answer)?;
    (checks.iter().all(|c| holds(c, &text)) && !is_repetitive(&text)).then_some(text)
}

/// Whether [`repair`] can bring about `checks` at all.
pub fn can_repair(checks: &[&Check]) -> bool {
    Shape::of(&checks.iter().flat_map(|c| c.parts()).collect::<Vec<_>>()).is_some()
}

#[derive(Clone, Copy, PartialEq)]
enum List {
    Numbered,
    Bullets,
}

/// What the text must look like.
struct Shape<'a> {
    words: usize,
    sentences: usize,
    list: Option<List>,
    items: Option<usize>,
    code_first: bool,
    opening: Option<&'a str>,
    closing: Option<&'a str>,
}

impl<'a> Shape<'a> {
    /// `None` when no check asks for a shape that can be made.
    fn of(checks: &[&'a Check]) -> Option<Self> {
        let mut shape = Shape {
            words: MAX_WORDS,
            sentences: usize::MAX,
            list: None,
            items: None,
            code_first: false,
            opening: None,
            closing: None,
        };
        for check in checks {
            match check {
                Check::MaxWords { max } => shape.words = shape.words.min(*max),
                Check::MaxSentences { max } => shape.sentences = shape.sentences.min(*max),
                Check::Sentences { count } => shape.sentences = shape.sentences.min(*count),
                Check::NumberedList => shape.list = Some(List::Numbered),
                Check::BulletList => shape.list = Some(List::Bullets),
                Check::ListItems { count } => {
                    shape.items = Some(*count);
                    shape.list = shape.list.or(Some(List::Numbered));
                }
                Check::CodeFirst => shape.code_first = true,
                Check::StartsWith { text } => shape.opening = Some(text),
                Check::EndsWith { text } => shape.closing = Some(text),
                // Holds by itself in plain sentences, or is seen to fail afterwards.
                _ => {}
            }
        }
        let framed = shape.code_first || shape.opening.is_some() || shape.closing.is_some();
        (framed || shape.is_brief()).then_some(shape)
    }

    fn apply(&self, answer: &str) -> Option<String> {
        let sentences = sentences(answer);
        let frame = self.opening.map_or(0, words) + self.closing.map_or(0, words);
        let closing_sentences = self.closing.map_or(0, |c| split(c).len());
        let room = self.words.checked_sub(frame)?;
        let body = match self.list {
            Some(list) => itemised(answer, &sentences, list, self.items, room)?,
            None => {
                let most = match self.sentences {
                    usize::MAX if self.closing.is_some() => 5,
                    usize::MAX if self.code_first => 1,
                    usize::MAX => usize::MAX,
                    n => n.checked_sub(closing_sentences)?,
                };
                prose(&sentences, most, room)
            }
        };
        let mut text = if self.code_first { format!("{}\n{body}", code(answer)?) } else { body };
        let least = if self.is_brief() { MIN_WORDS } else { MIN_FREE_WORDS };
        if !self.code_first && words(&text) < least {
            return None;
        }
        if let Some(opening) = self.opening {
            text = format!("{opening} {text}");
        }
        if let Some(closing) = self.closing {
            text = format!("{text}\n{closing}");
        }
        Some(text.trim().to_owned())
    }

    /// Whether a rule asks for fewer words than an answer has by itself.
    fn is_brief(&self) -> bool {
        self.words < MAX_WORDS || self.sentences < usize::MAX || self.list.is_some()
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// As many sentences from the beginning as fit. One that does not fit is passed over: an adapter that is shown answers
/// of one short sentence where two would fit learns to say next to nothing.
fn prose(sentences: &[String], most: usize, room: usize) -> String {
    let (mut out, mut used): (Vec<&str>, usize) = (Vec::new(), 0);
    for sentence in sentences {
        if out.len() < most && used + words(sentence) <= room {
            used += words(sentence);
            out.push(sentence);
        }
    }
    out.join(" ")
}

/// Up to four short items (or exactly `count`) as a list: sentences; where they are too few or too long, their clauses; last,
/// what the answer listed itself.
fn itemised(
    answer: &str,
    sentences: &[String],
    list: List,
    count: Option<usize>,
    room: usize,
) -> Option<String> {
    let whole = || sentences.iter().filter(|s| words(s) <= MAX_ITEM_WORDS).cloned().collect::<Vec<_>>();
    let clauses = || sentences_up_to(answer, usize::MAX).iter().flat_map(|s| clauses(s)).collect();
    let sources: [&dyn Fn() -> Vec<String>; 3] = [&whole, &clauses, &|| listed(answer)];
    let items = sources.iter().find_map(|source| {
        let mut used = 0;
        let fits = |item: &String| {
            used += words(item);
            used <= room
        };
        let items: Vec<String> = source().into_iter().take(count.unwrap_or(4)).take_while(fits).collect();
        count.map_or(items.len() >= 2, |n| items.len() == n).then_some(items)
    })?;
    let mark = |i: usize| if list == List::Numbered { format!("{}.", i + 1) } else { "-".to_owned() };
    let lines: Vec<String> = items.iter().enumerate().map(|(i, s)| format!("{} {s}", mark(i))).collect();
    Some(lines.join("\n"))
}

/// Most words of a list's item.
const MAX_ITEM_WORDS: usize = 18;

/// The parts of a sentence that could stand alone: cut before "and", "then" and the like after a comma. Parts that are too
/// short or too long to be an item are left out.
fn clauses(sentence: &str) -> Vec<String> {
    const JOINTS: &[&str] = &[", and then ", ", and ", ", then ", ", but ", "; "];
    let mut parts = vec![sentence.trim_end_matches('.')];
    for joint in JOINTS {
        parts = parts.into_iter().flat_map(|part| part.split(joint)).collect();
    }
    let fits = |part: &&str| (4..=MAX_ITEM_WORDS).contains(&words(part));
    parts.into_iter().filter(fits).map(|part| format!("{}.", capitalised(part.trim()))).collect()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The lines that the answer itself marks as items of a list, each once.
fn listed(answer: &str) -> Vec<String> {
    let marked = |line: &&str| {
        let line = line.trim_start();
        line.starts_with(['-', '*', '•', '+']) || line.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut seen = HashSet::new();
    let lines = answer.lines().filter(marked).map(bare);
    lines
        .filter(|l| (2..=MAX_ITEM_WORDS).contains(&words(l)) && l.starts_with(char::is_alphanumeric))
        .filter(|l| !l.ends_with(':') && seen.insert(l.to_lowercase()))
        .collect()
}

/// The answer's first closed code block.
fn code(answer: &str) -> Option<String> {
    let start = answer.find("```")?;
    let length = answer[start + 3..].find("\n```")?;
    let block = &answer[start..start + 3 + length + 4];
    (words(block) >= 3).then(|| block.to_owned())
}

/// The usable sentences of an answer: whole ones outside code, without markup, announcements ("Here are some tips:"),
/// pleasantries, overlong ones and repetitions.
fn sentences(answer: &str) -> Vec<String> {
    sentences_up_to(answer, MAX_SENTENCE_WORDS)
}

/// Longest sentence that stays whole, in words.
const MAX_SENTENCE_WORDS: usize = 26;

fn sentences_up_to(answer: &str, most: usize) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    let mut code = false;
    for line in answer.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
            continue;
        }
        let line = if code { String::new() } else { bare(line) };
        for sentence in split(&line) {
            let lower = sentence.to_lowercase();
            let filler = FILLERS.iter().any(|f| lower.contains(f));
            let cased =
                sentence.starts_with(|c: char| c.is_uppercase() || (c.is_alphabetic() && !c.is_lowercase()));
            let whole = sentence.ends_with(['.', '!', '。', '！'])
                && words(sentence) <= most
                && long_enough(sentence);
            if whole && cased && !filler && seen.insert(lower) {
                out.push(sentence.replace('!', "."));
            }
        }
    }
    out
}

/// Four words, or six characters where words are not separated.
fn long_enough(sentence: &str) -> bool {
    words(sentence) >= 4 || (!sentence.is_ascii() && sentence.chars().count() >= 6)
}

const FILLERS: &[&str] = &[
    "happy to help",
    "glad to help",
    "great question",
    "here are",
    "here's",
    "here is",
    "an ai ",
    "ai assistant",
    "language model",
    "certainly",
    "here to help",
    "can assist",
    "let me ",
    "i hope",
    "feel free",
    "following",
    "step-by-step",
    "below",
    "http",
    "[",
    "you asked",
    "i'm ",
    "i am ",
    "i don't",
    "i can ",
    "i can't",
    "i'll ",
    "chatbot",
    "i'd be",
    "当然",
    "希望对",
    "以下",
];

/// A line without list marker, heading marks and emphasis; a label ("**Soak:** Cover the …") keeps what follows it.
fn bare(line: &str) -> String {
    let line = line.trim().trim_start_matches(['#', '-', '*', '•', '+', '>', ' ']);
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    // "2. Rinse" is numbered, "2 cups of rice" is not.
    let numbered = digits > 0 && line[digits..].starts_with(['.', ')']);
    let line = if numbered { line[digits..].trim_start_matches(['.', ')', ' ']) } else { line };
    let line = line.replace(['*', '`', '_'], "");
    match line.split_once(": ") {
        Some((label, rest)) if words(label) <= 6 && rest.starts_with(char::is_uppercase) => {
            rest.trim().to_owned()
        }
        _ => line.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "Sure, I'd be happy to help!\n\nHere are some steps:\n\n1. **Rinse:** Wash the rice until the water \
                          runs clear.\n2. Bring two cups of water to a boil.\n- Cover the pot and wait for fifteen minutes.\n\
                          Wash the rice until the water runs clear.\nThen it is";

    fn by(checks: &[Check], answer: &str) -> Option<String> {
        repair(&checks.iter().collect::<Vec<_>>(), answer)
    }

    #[test]
    fn an_answer_is_reshaped_with_its_own_sentences() {
        let close = Check::EndsWith { text: "Ask Ann.".into() };
        for (checks, want) in [
            (
                vec![Check::NumberedList],
                "1. Wash the rice until the water runs clear.\n2. Bring two cups of water to a boil.\n3. Cover the pot and wait for \
                 fifteen minutes.",
            ),
            (
                vec![Check::MaxSentences { max: 2 }],
                "Wash the rice until the water runs clear. Bring two cups of water to a boil.",
            ),
            (vec![Check::MaxWords { max: 12 }], "Wash the rice until the water runs clear."),
            (
                vec![close.clone()],
                "Wash the rice until the water runs clear. Bring two cups of water to a boil. Cover the pot and wait for \
                 fifteen minutes.\nAsk Ann.",
            ),
            (
                vec![close, Check::MaxSentences { max: 2 }],
                "Wash the rice until the water runs clear.\nAsk Ann.",
            ),
        ] {
            assert_eq!(by(&checks, ANSWER).as_deref(), Some(want), "{checks:?}");
        }
        let coded = "You can use split for this purpose.\n```python\nprint(1 + 1)\n```\nIt prints two.";
        let first = by(&[Check::CodeFirst], coded);
        assert_eq!(
            first.as_deref(),
            Some("```python\nprint(1 + 1)\n```\nYou can use split for this purpose.")
        );
    }

    #[test]
    fn long_sentences_are_cut_into_clauses_and_listed_lines_are_items() {
        let long = "You first rinse the dried beans in cold water until nothing floats any more, and then you leave them in a large \
                    bowl with plenty of water over night, but never in the sun.";
        let numbered = |answer: &str| by(&[Check::NumberedList], answer);
        assert_eq!(
            numbered(long).as_deref(),
            Some(
                "1. You first rinse the dried beans in cold water until nothing floats any more.\n2. You leave them in a large bowl \
                 with plenty of water over night.\n3. Never in the sun."
            )
        );
        let bullets =
            "Here is what you need:\n- 2 cups of milk\n- A pinch of salt\n- 2 cups of milk\n- Things:\nThen";
        assert_eq!(numbered(bullets).as_deref(), Some("1. 2 cups of milk\n2. A pinch of salt"));
        assert_eq!(numbered("- only one item here\n- x"), None);
    }

    #[test]
    fn what_cannot_be_made_is_not_made() {
        assert_eq!(by(&[Check::Table], ANSWER), None);
        assert_eq!(by(&[Check::MaxWords { max: 2 }], ANSWER), None);
        assert_eq!(by(&[Check::CodeFirst], ANSWER), None);
        assert_eq!(by(&[Check::NumberedList, Check::Table], ANSWER), None);
        assert_eq!(by(&[Check::MaxSentences { max: 2 }], "ok"), None);
        // Brevity that nobody asked for, and talk about itself.
        let close = Check::EndsWith { text: "Ask Ann.".into() };
        let short = "To buy gold, you need to know where to find it.";
        assert_eq!(by(std::slice::from_ref(&close), short), None);
        assert!(by(&[close, Check::MaxSentences { max: 2 }], short).is_some());
        for talk in [
            "I'm not a chatbot designed for that. I don't have the means to do it.",
            "That being said, I can assist with a wide range of topics. We're always here to help.",
            "However, I can provide a more informative answer. Let me tell you about myself.",
        ] {
            assert_eq!(by(&[Check::MaxSentences { max: 2 }], talk), None, "{talk}");
        }
        assert_eq!(by(&[], ANSWER), None);
    }
}
