//! Ids that are unique within a run.

use std::collections::{HashMap, HashSet};

use uno_types::Message;

/// Gives out ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    used: HashSet<String>,
    /// Last suffix tried for an id that several rows claim.
    suffixes: HashMap<String, u64>,
}

impl Ids {
    /// `wanted` when it is free, otherwise with the first free suffix `-2`, `-3`, …
    pub fn claim(&mut self, wanted: String) -> String {
        if self.used.insert(wanted.clone()) {
            return wanted;
        }
        let mut suffix = self.suffixes.get(&wanted).copied().unwrap_or(1);
        let id = loop {
            suffix += 1;
            let id = format!("{wanted}-{suffix}");
            if self.used.insert(id.clone()) {
                break id;
            }
        };
        self.suffixes.insert(wanted, suffix);
        id
    }
}

/// An id made from the conversation itself: the same one in every run.
pub(crate) fn content_id(messages: &[Message]) -> String {
    format!("r-{}", &content_hash(messages).to_hex()[..16])
}

/// A pseudonym that stands for `name` in every run.
pub(crate) fn pseudonym(name: &str) -> String {
    format!("user-{}", letters(&blake3::hash(name.as_bytes())))
}

/// As [`content_id`], for rows whose own id is personal data.
pub(crate) fn opaque(name: &str) -> String {
    format!("id-{}", letters(&blake3::hash(name.as_bytes())))
}

/// 16 letters of a hash: no digits, so that no detector takes them for a number.
fn letters(hash: &blake3::Hash) -> String {
    hash.as_bytes().iter().take(16).map(|b| char::from(b'a' + b % 26)).collect()
}

/// Hash of a conversation, blind to white space and letter case.
pub(crate) fn content_hash(messages: &[Message]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for message in messages {
        hasher.update(message.role.as_str().as_bytes());
        for word in message.content.split_whitespace() {
            hasher.update(b" ");
            hasher.update(word.to_lowercase().as_bytes());
        }
        hasher.update(b"\n");
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_unique_and_kept_where_possible(wanted in prop::collection::vec("[ab](-[23])?", 0..40)) {
            let mut ids = Ids::default();
            let given: Vec<String> = wanted.iter().map(|w| ids.claim(w.clone())).collect();
            let distinct: HashSet<&String> = given.iter().collect();
            prop_assert_eq!(distinct.len(), given.len());
            prop_assert!(wanted.first() == given.first());
            prop_assert!(given.iter().zip(&wanted).all(|(g, w)| g.starts_with(w.as_str())));
        }
    }

    #[test]
    fn white_space_and_case_do_not_make_another_conversation() {
        let a = [Message::user("Hello  there\n"), Message::assistant("Hi")];
        let b = [Message::user("hello there"), Message::assistant("hi ")];
        let c = [Message::user("hello there hi")];
        assert_eq!(content_id(&a), content_id(&b));
        assert_ne!(content_id(&a), content_id(&c));
    }
}
