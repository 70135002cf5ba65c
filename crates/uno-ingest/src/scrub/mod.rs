//! Personal data and secrets are replaced by placeholders before anything is written.
//!
//! Found are: e-mail addresses, phone numbers, payment cards (Luhn), IBANs (mod 97), IPv4 addresses that can belong to
//! somebody, and API keys, tokens and private keys of common shapes. Names and postal addresses are not. After
//! scrubbing no detector finds anything in the text.

mod number;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// API keys, tokens, private keys.
    Key,
    /// E-mail addresses.
    Email,
    /// International bank account numbers.
    Iban,
    /// Payment cards.
    Card,
    /// IPv4 addresses, but not loopback, unspecified and broadcast ones.
    Ip,
    /// Phone numbers.
    Phone,
}

impl Kind {
    /// All kinds, in the order in which they are looked for: the more certain first.
    pub const ALL: [Kind; 6] = [Kind::Key, Kind::Email, Kind::Iban, Kind::Card, Kind::Ip, Kind::Phone];

    /// The word used in counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Key => "key",
            Kind::Email => "email",
            Kind::Iban => "iban",
            Kind::Card => "card",
            Kind::Ip => "ip",
            Kind::Phone => "phone",
        }
    }

    /// What stands in the text instead. Neither digits nor `@` occur in it, so that nothing new can be found.
    pub fn placeholder(self) -> &'static str {
        match self {
            Kind::Key => "<KEY>",
            Kind::Email => "<EMAIL>",
            Kind::Iban => "<IBAN>",
            Kind::Card => "<CARD>",
            Kind::Ip => "<IP>",
            Kind::Phone => "<PHONE>",
        }
    }

    /// Where this kind occurs in `text`, from left to right.
    fn find(self, text: &str) -> Vec<Range<usize>> {
        let accept: fn(&str) -> Option<usize> = match self {
            Kind::Email => |found| Some(found.len()),
            // Secrets hold digits; words joined by hyphens do not.
            Kind::Key => |found| {
                let secret = found.starts_with('-') || found.contains(|c: char| c.is_ascii_digit());
                secret.then_some(found.len())
            },
            Kind::Iban => number::iban,
            Kind::Card => number::card,
            Kind::Ip => number::ip,
            Kind::Phone => number::phone,
        };
        let pattern = match self {
            Kind::Key => &KEY,
            Kind::Email => &EMAIL,
            Kind::Iban => &IBAN,
            Kind::Card => &CARD,
            Kind::Ip => &IP,
            Kind::Phone => &PHONE,
        };
        let (mut out, mut from) = (Vec::new(), 0);
        while let Some(found) = pattern.find_at(text, from) {
            let accepted = accept(found.as_str()).map(|length| found.start()..found.start() + length);
            match accepted.filter(|r| self.stands_alone(text, r)) {
                Some(range) => {
                    from = range.end;
                    out.push(range);
                }
                // Try again one character further on: a longer match may hide a right one.
                None => from = found.start() + text[found.start()..].chars().next().map_or(1, char::len_utf8),
            }
            if from > text.len() {
                break;
            }
        }
        out
    }

    /// Whether a number is not a piece of a longer number or word.
    fn stands_alone(self, text: &str, range: &Range<usize>) -> bool {
        let (before, after) = (&text[..range.start], &text[range.end..]);
        let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match self {
            Kind::Email => return true,
            Kind::Key => return text[range.clone()].starts_with('-') || !before.ends_with(joins),
            Kind::Iban | Kind::Card | Kind::Ip | Kind::Phone => {}
        }
        let point = |c: Option<char>, next: Option<char>| {
            c.is_some_and(|c| c == '.' || c == '-') && next.is_some_and(|n| n.is_ascii_digit())
        };
        let mut left = before.chars().rev();
        let mut right = after.chars();
        let (l1, l2, r1, r2) = (left.next(), left.next(), right.next(), right.next());
        !(l1.is_some_and(joins) || r1.is_some_and(joins) || point(l1, l2) || point(r1, r2))
    }
}

#[expect(clippy::expect_used, reason = "constant patterns; every one is compiled by the tests")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("constant pattern")
}

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"[\w.%+'-]*[\w%+-]@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
});
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) sk-[A-Za-z0-9_-]{16,} | (?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,} | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,}
          | glpat-[A-Za-z0-9_-]{16,} | hf_[A-Za-z0-9]{20,} | xox[abeoprs]-[A-Za-z0-9-]{10,} | (?:AKIA|ASIA)[0-9A-Z]{16} | AIza[0-9A-Za-z_-]{30,}
          | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}
          | -----BEGIN[\ A-Z]*PRIVATE\ KEY-----(?s:.*?)(?:-----END[\ A-Z]*PRIVATE\ KEY-----|\z)",
    )
});
static IBAN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?"));
static CARD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"[3-6][0-9]{12,18}|[3-6][0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{3})?|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{5}",
    )
});
static IP: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"));
static PHONE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \+[1-9][0-9]{0,2} (?: [\ .-]? \(?[0-9]{1,5}\)? ){2,6}                          # +44 20 7946 0958
          | (?:1[\ .-])? \([2-9][0-9]{2}\) [\ .-]? [0-9]{3} [\ .-] [0-9]{4}              # (555) 123-4567
          | (?:1[\ .-])? [2-9][0-9]{2} (?: -[0-9]{3}-[0-9]{4} | \.[0-9]{3}\.[0-9]{4} | \ [0-9]{3}[\ -][0-9]{4} )
          | 0[1-9] (?: [\ .][0-9]{2} ){4}                                               # 06 12 34 56 78
          | 0[1-9][0-9]{1,3} [\ /-] [0-9]{5,8}                                          # 0171 2345678
          | 1[3-9][0-9]{9} | 1[3-9][0-9] [\ -] [0-9]{4} [\ -] [0-9]{4}                  # Chinese mobile numbers
        ",
    )
});

/// Whether a detector can find anything at all: each needs a digit, an `@`, or the beginning of a private key. A gateway scrubs
/// thousands of texts a second, most of which have none of these.
fn is_suspicious(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit() || b == b'@') || text.contains("-----BEGIN")
}

/// Replaces all personal data in `text`; adds what was found to `counts`.
pub fn scrub<'a>(text: &'a str, counts: &mut BTreeMap<String, u64>) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if !is_suspicious(&text) {
        return text;
    }
    // Each replacement removes digits or an @ and adds none, so this ends.
    loop {
        let mut changed = false;
        for kind in Kind::ALL {
            let found = kind.find(&text);
            if found.is_empty() {
                continue;
            }
            changed = true;
            *counts.entry(kind.as_str().to_owned()).or_default() += found.len() as u64;
            let mut out = String::with_capacity(text.len());
            let mut end = 0;
            for range in found {
                out.push_str(&text[end..range.start]);
                out.push_str(kind.placeholder());
                end = range.end;
            }
            out.push_str(&text[end..]);
            text = Cow::Owned(out);
        }
        if !changed {
            return text;
        }
    }
}

/// All personal data found in `text`: kind and place. Empty for every text that [`scrub`] returned.
pub fn find(text: &str) -> Vec<(Kind, Range<usize>)> {
    Kind::ALL
        .into_iter()
        .flat_map(|kind| kind.find(text).into_iter().map(move |range| (kind, range)))
        .collect()
}
