//! Hashes that tell which request goes on from which: requests are stateless, but each repeats the turns before it.

use std::fmt;

use uno_types::{Message, Role};

/// The hash of some turns. White space at their ends does not count: clients trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnsHash([u8; 16]);

impl TurnsHash {
    fn add(self, role: Role, text: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(role.as_str().as_bytes()).update(&[0]).update(text.trim().as_bytes());
        let mut out = [0; 16];
        out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(out)
    }

    /// The hash with an answer added.
    pub fn after(self, answer: &str) -> String {
        self.add(Role::Assistant, answer).to_string()
    }
}

impl fmt::Display for TurnsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The hashes of a request's turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Up to the first user turn: the conversation.
    pub conversation: String,
    /// Up to the last answer in it; empty when there is none.
    pub parent: String,
    /// All of it.
    pub prompt: TurnsHash,
}

impl Chain {
    /// Hashes the turns.
    pub fn of(messages: &[Message]) -> Self {
        let mut hash = TurnsHash([0; 16]);
        let (mut conversation, mut parent) = (String::new(), String::new());
        for message in messages {
            hash = hash.add(message.role, &message.content);
            match message.role {
                Role::User if conversation.is_empty() => conversation = hash.to_string(),
                Role::Assistant => parent = hash.to_string(),
                _ => {}
            }
        }
        Self { conversation, parent, prompt: hash }
    }
}

/// A number that is the same for all requests of a conversation of one user: who is on trial stays on trial.
pub fn conversation_key(messages: &[Message], user: &str, key: &str) -> u64 {
    let first = messages.iter().position(|m| m.role == Role::User).map_or(messages.len(), |i| i + 1);
    let mut hasher = blake3::Hasher::new();
    for text in [user, key].into_iter().chain(messages[..first].iter().map(|m| m.content.trim())) {
        hasher.update(text.as_bytes()).update(&[0]);
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_the_one_it_goes_on_from() {
        let first = [Message::system("be kind"), Message::user("how?")];
        let a = Chain::of(&first);
        assert_eq!(a.parent, "");
        let second = [first.as_slice(), &[Message::assistant("so \n"), Message::user("shorter")]].concat();
        let b = Chain::of(&second);
        assert_eq!(
            (b.parent.clone(), b.conversation.clone()),
            (a.prompt.after("so"), a.conversation.clone())
        );
        assert_ne!(a.prompt.after("no"), b.parent);
        let other = Chain::of(&[Message::user("be kind"), Message::user("how?")]);
        assert_ne!(other.conversation, a.conversation);
        assert_eq!(conversation_key(&first, "u", ""), conversation_key(&second, "u", ""));
        assert_ne!(conversation_key(&first, "u", ""), conversation_key(&first, "", "u"));
    }
}
