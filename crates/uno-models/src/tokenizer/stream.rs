//! Decoding one token at a time.

use super::bytes::TokenBytes;

/// Turns ids into text as they come. A character whose bytes are spread over several tokens is held back until it is
/// whole; the concatenation of all pieces is what [`decode`](super::TextTokenizer::decode) gives for all ids.
pub struct TextStream<'a> {
    bytes: &'a TokenBytes,
    /// The beginning of a character.
    pending: Vec<u8>,
    /// Nothing was pushed yet.
    first: bool,
}

impl<'a> TextStream<'a> {
    pub(super) fn new(bytes: &'a TokenBytes) -> Self {
        Self { bytes, pending: Vec::new(), first: true }
    }

    /// The text that `id` completes; empty for special tokens and while a character is incomplete.
    pub fn push(&mut self, id: u32) -> String {
        let mut bytes = self.bytes.get(id);
        if self.first && !bytes.is_empty() {
            self.first = false;
            if self.bytes.strips_first_space() {
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
        take_whole(&mut self.pending)
    }

    /// What is left: an incomplete character becomes U+FFFD.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// Removes and returns everything but an incomplete last character; bytes that can never become one are U+FFFD.
fn take_whole(pending: &mut Vec<u8>) -> String {
    let mut keep = pending.len();
    // An incomplete character at the end is at most three bytes.
    for back in 1..=pending.len().min(3) {
        let at = pending.len() - back;
        match std::str::from_utf8(&pending[at..]) {
            // Its first bytes are right and more are wanted.
            Err(e) if e.valid_up_to() == 0 && e.error_len().is_none() => {
                keep = at;
                break;
            }
            _ => {}
        }
    }
    let whole = String::from_utf8_lossy(&pending[..keep]).into_owned();
    pending.drain(..keep);
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::take_whole;

    proptest! {
        #[test]
        fn pieces_join_to_the_lossy_whole(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xE4), Just(0xBD), Just(0xA0), Just(0xF0), Just(0x9F)], 0..60), cuts in prop::collection::vec(1usize..5, 60)) {
            let (mut pending, mut text, mut at) = (Vec::new(), String::new(), 0);
            for cut in cuts {
                let end = (at + cut).min(bytes.len());
                pending.extend_from_slice(&bytes[at..end]);
                at = end;
                text.push_str(&take_whole(&mut pending));
                prop_assert!(pending.len() <= 3);
            }
            pending.extend_from_slice(&bytes[at..]);
            text.push_str(&take_whole(&mut pending));
            text.push_str(&String::from_utf8_lossy(&pending));
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
