//! Every prompt of the method, one function per prompt, in English and Chinese.
//!
//! Each prompt is a long constant beginning (instruction and worked examples) and a short end (the record), because an
//! engine computes a shared beginning once per batch. The examples' rules are deliberately none that the example logs
//! ask for. Whatever users wrote is quoted as data ([`quote`]). The wording needs no version number: it is part of the
//! messages, so a changed prompt has other cache keys.

mod en;
pub mod quote;
mod zh;

use uno_types::{Lang, Message};

/// What the record's system turn and question look like inside a prompt: the system turn, when there is one, is data
/// like the rest, joined before the question (METHOD §0).
fn question(system: Option<&str>, question: &str) -> String {
    let system = system.map(|s| format!("{}\n", quote::quote("system_prompt", s))).unwrap_or_default();
    format!("{system}{}", quote::quote("question", question))
}

/// A worked example: what the user turn says, and the reply.
type Example = (String, String);

/// System turn, examples as earlier turns, and the record's turn last.
fn few_shot(system: &str, examples: Vec<Example>, last: String) -> Vec<Message> {
    let mut messages = vec![Message::system(system)];
    for (asked, replied) in examples {
        messages.push(Message::user(asked));
        messages.push(Message::assistant(replied));
    }
    messages.push(Message::user(last));
    messages
}

/// Rules from question, first answer and feedback (METHOD §1, with feedback). Reply: JSON `{"rules": [string]}`.
pub fn distil(lang: Lang, system: Option<&str>, q: &str, answer: &str, feedback: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::distil(&question(system, q), answer, feedback),
        Lang::Zh => zh::distil(&question(system, q), answer, feedback),
    }
}

/// At most five rules that the model itself thinks matter (METHOD §1, without feedback). Reply: JSON `{"rules": [string]}`.
pub fn prior(lang: Lang, system: Option<&str>, q: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::prior(&question(system, q)),
        Lang::Zh => zh::prior(&question(system, q)),
    }
}

/// The question again, given only the feedback (METHOD §2, style i). Reply: the answer.
pub fn answer_again(lang: Lang, system: Option<&str>, q: &str, feedback: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::answer_again(&question(system, q), feedback),
        Lang::Zh => zh::answer_again(&question(system, q), feedback),
    }
}

/// The first answer revised, given rules and feedback (METHOD §2, style ii). Reply: the answer.
pub fn revise(
    lang: Lang,
    system: Option<&str>,
    q: &str,
    answer: &str,
    feedback: &str,
    rules: &str,
) -> Vec<Message> {
    match lang {
        Lang::En => en::revise(&question(system, q), answer, feedback, rules),
        Lang::Zh => zh::revise(&question(system, q), answer, feedback, rules),
    }
}

/// How well an answer follows the rules. Reply: JSON `{"reason": string, "score": 1..10}`.
pub fn judge(lang: Lang, system: Option<&str>, q: &str, rules: &str, answer: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::judge(&question(system, q), rules, answer),
        Lang::Zh => zh::judge(&question(system, q), rules, answer),
    }
}

/// Which of two answers follows the rules better. Reply: JSON `{"reason": string, "better": "A" | "B"}`.
pub fn choose(lang: Lang, system: Option<&str>, q: &str, rules: &str, a: &str, b: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::choose(&question(system, q), rules, a, b),
        Lang::Zh => zh::choose(&question(system, q), rules, a, b),
    }
}

/// What the Critic is asked, in training and in serving: no examples, because it is trained on exactly this.
/// Reply: numbered suggestions.
pub fn suggest(lang: Lang, system: Option<&str>, q: &str, answer: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::suggest(&question(system, q), answer),
        Lang::Zh => zh::suggest(&question(system, q), answer),
    }
}

/// The answer improved by the base model with the Critic's suggestions. Reply: the answer.
pub fn refine(lang: Lang, system: Option<&str>, q: &str, answer: &str, suggestions: &str) -> Vec<Message> {
    match lang {
        Lang::En => en::refine(&question(system, q), answer, suggestions),
        Lang::Zh => zh::refine(&question(system, q), answer, suggestions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(messages: &[Message]) -> String {
        messages.iter().map(|m| format!("[{}]\n{}\n", m.role.as_str(), m.content)).collect()
    }

    #[test]
    fn wording() {
        for lang in [Lang::En, Lang::Zh] {
            let name = |prompt: &str| format!("{prompt}_{lang:?}");
            insta::assert_snapshot!(
                name("distil"),
                text(&distil(lang, None, "QUESTION", "ANSWER", "1. FEEDBACK"))
            );
            insta::assert_snapshot!(name("prior"), text(&prior(lang, Some("SYSTEM"), "QUESTION")));
            insta::assert_snapshot!(
                name("answer_again"),
                text(&answer_again(lang, None, "QUESTION", "1. FEEDBACK"))
            );
            insta::assert_snapshot!(
                name("revise"),
                text(&revise(lang, None, "QUESTION", "ANSWER", "1. FEEDBACK", "1. RULE"))
            );
            insta::assert_snapshot!(name("judge"), text(&judge(lang, None, "QUESTION", "1. RULE", "ANSWER")));
            insta::assert_snapshot!(
                name("choose"),
                text(&choose(lang, None, "QUESTION", "1. RULE", "ANSWER A", "ANSWER B"))
            );
            insta::assert_snapshot!(name("suggest"), text(&suggest(lang, None, "QUESTION", "ANSWER")));
            insta::assert_snapshot!(
                name("refine"),
                text(&refine(lang, None, "QUESTION", "ANSWER", "1. SUGGESTION"))
            );
        }
    }

    #[test]
    fn records_share_everything_but_the_last_turn() {
        for lang in [Lang::En, Lang::Zh] {
            let (a, b) = (distil(lang, None, "a", "b", "c"), distil(lang, Some("s"), "x", "y", "z"));
            assert_eq!(a[..a.len() - 1], b[..b.len() - 1]);
            let (a, b) = (judge(lang, None, "a", "b", "c"), judge(lang, None, "x", "y", "z"));
            assert_eq!(a[..a.len() - 1], b[..b.len() - 1]);
        }
    }
}
