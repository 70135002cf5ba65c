//! Corrected answers: the model's own first answer, reshaped by a program until it obeys the house rule.
//!
//! The text stays the model's (short sentences of its own answer), so a corrected answer reads like one it could have
//! given; programming answers hold hand-written code, because the small model's code is often wrong.

use uno_learn::candidates::repair;
use uno_learn::check;
use uno_types::Check;

use super::domains::Domain;

/// An answer to the question about `topic` that obeys the domain's rule, made from `first`; `None` when the first answer
/// gives no usable sentences.
pub fn corrected(domain: &Domain, topic: &str, first: &str) -> Option<String> {
    let text = match domain.code.iter().find(|(t, ..)| *t == topic) {
        Some((_, code, note)) => format!("```python\n{code}\n```\n{note}"),
        None => repair(&[&domain.check], first).filter(|t| check::holds(&Check::English, t))?,
    };
    check::holds(&domain.check, &text).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::domains::domains;

    const FIRST: &str = "Sure, I'd be happy to help!\n\nHere are some steps:\n\n1. **Rinse:** Wash the rice until the water \
                         runs clear.\n2. Bring two cups of water to a boil.\n- Cover the pot and wait for fifteen minutes.\n\
                         Wash the rice until the water runs clear.\nThen it is";

    #[test]
    fn corrected_answers_obey_and_are_short() {
        for domain in domains() {
            let topic = if domain.code.is_empty() { domain.topics[0] } else { domain.code[0].0 };
            let text =
                corrected(&domain, topic, FIRST).unwrap_or_else(|| panic!("{} gives none", domain.name));
            assert!(check::holds(&domain.check, &text), "{text}");
            assert!(!text.contains("happy to help") && !text.contains("**"), "{text}");
        }
    }

    #[test]
    fn nothing_usable_gives_nothing() {
        for domain in domains().iter().filter(|d| d.code.is_empty()) {
            assert_eq!(corrected(domain, domain.topics[0], "ok"), None);
        }
    }

    #[test]
    fn all_hand_written_code_belongs_to_a_topic_and_obeys() {
        for domain in domains() {
            for (topic, ..) in domain.code {
                assert!(domain.topics.contains(topic), "{topic}");
                assert!(corrected(&domain, topic, "").is_some(), "{topic}");
            }
        }
    }
}
