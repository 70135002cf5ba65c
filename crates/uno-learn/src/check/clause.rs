//! Cutting a demand into clauses, with quoted phrases put aside.

use std::sync::LazyLock;

use regex::Regex;

use super::text::regex;

/// A text whose quoted phrases have been replaced by `QUOTE0`, `QUOTE1`, …, in lower case and straight quotes.
#[derive(Debug)]
pub(super) struct Masked {
    pub text: String,
    pub quotes: Vec<String>,
    /// As `text`, with the letters' own case.
    pub original: String,
}

static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    // Double quotes anywhere; single ones only around a phrase, not as an apostrophe; guillemets; CJK brackets; code.
    regex(
        r#""([^"\n]{1,160})"|«([^»\n]{1,160})»|「([^」\n]{1,160})」|『([^』\n]{1,160})』|`([^`\n]{1,160})`"#,
    )
});
static SINGLE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?P<before>^|[\s(:,，。用以写加])'(?P<phrase>[^'\n]{1,160})'(?P<after>$|[\s).,;:!?，。！？开结作])",
    )
});

/// Puts quoted phrases aside.
pub(super) fn mask(text: &str) -> Masked {
    let straight: String = text
        .chars()
        .map(|c| match c {
            '“' | '”' | '„' | '＂' => '"',
            '‘' | '’' => '\'',
            '\u{A0}' | '\t' | '\r' => ' ',
            c => c,
        })
        .collect();
    let mut quotes = Vec::new();
    let mut keep = |phrase: &str| {
        // American style puts the sentence's comma inside the quotation marks.
        quotes.push(phrase.trim().trim_end_matches([',', '，']).to_owned());
        format!("QUOTE{}", quotes.len() - 1)
    };
    let once = QUOTED.replace_all(&straight, |c: &regex::Captures<'_>| {
        keep(c.iter().skip(1).flatten().next().map_or("", |m| m.as_str()))
    });
    let original = SINGLE.replace_all(&once, |c: &regex::Captures<'_>| {
        format!("{}{}{}", &c["before"], keep(&c["phrase"]), &c["after"])
    });
    Masked {
        text: original.to_lowercase().replace("quote", "QUOTE"),
        original: original.into_owned(),
        quotes,
    }
}

static SENTENCE_END: LazyLock<Regex> =
    LazyLock::new(|| regex(r"[.!?;:]+(?:\s+|$)|\n+|[。！？；]+|\s+[-–—]+\s+|—"));

/// Sentences of a masked text; a colon and a dash end one too, unless a quotation or a phrase follows "with:".
pub(super) fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = 0;
    for end in SENTENCE_END.find_iter(text) {
        let colon = end.as_str().starts_with(':');
        if colon && text[end.end()..].starts_with("QUOTE") {
            continue;
        }
        out.push(&text[start..end.start()]);
        // A question mark is part of what the clause means.
        start = end.end();
    }
    out.push(&text[start..]);
    out.into_iter()
        .map(|s| s.replace(':', " "))
        .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|s| !s.is_empty())
        .collect()
}

/// Whether the phrase is a template or too vague to compare literally: brackets, an ellipsis, nothing but marks.
pub(super) fn is_template(phrase: &str) -> bool {
    phrase.contains(['[', ']', '{', '}', '<', '>', '_'])
        || phrase.contains("...")
        || phrase.contains('…')
        || phrase.split_whitespace().any(|w| ["X", "XX", "XXX", "XYZ", "etc", "etc."].contains(&w))
        || phrase.trim().is_empty()
}
