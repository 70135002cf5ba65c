//! An answer as a reader sees it: lines, list items, sentences and words without Markdown's markup.

use std::sync::LazyLock;

use regex::Regex;

#[expect(clippy::expect_used, reason = "constant patterns; every one is compiled by the tests")]
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("constant pattern")
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    /// Inside a fenced code block, or one of its fences.
    Code,
    /// An item of a list: its indentation in columns, and its number, if it has one.
    Item {
        indent: usize,
        number: Option<u64>,
        text: &'a str,
    },
    Text(&'a str),
}

static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    // Number or bullet, possibly inside a quote, a heading or bold type: "1.", "**2)**", "### 3.", "(4)", "5、", "-".
    regex(
        r"(?x) ^ (?P<lead> [\s>]* (?:\#{1,6}\s+)? ) [*_]{0,2}
          (?: (?i:step|第)\s* (?P<step> \d{1,3} ) \s* (?: [:.)-] | 步[：:，、]? ) [*_]{0,2} \s*
            | \( (?P<paren> \d{1,3} ) \) [*_]{0,2} \s+
            | (?P<number> \d{1,3} ) (?: [.)．）] [*_]{0,2} (?:\s+|$) | 、 \s* )
            | (?P<bullet> [-*+•‣▪●◦·] ) \s+ )
          (?P<text> \S .* )? $",
    )
});

static RULE: LazyLock<Regex> = LazyLock::new(|| regex(r"^[\s>]*([-*_=]\s*){3,}$"));

/// Whether `line` opens or closes a fenced code block.
pub(super) fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// The lines of `answer`, told apart. Markdown's thematic breaks count as blank.
pub(super) fn lines(answer: &str) -> Vec<Line<'_>> {
    let mut in_code = false;
    let mut out = Vec::new();
    for line in answer.lines() {
        if is_fence(line) {
            in_code = !in_code;
            out.push(Line::Code);
        } else if in_code {
            out.push(Line::Code);
        } else if line.trim().is_empty() || RULE.is_match(line) {
            out.push(Line::Blank);
        } else if let Some(item) = ITEM.captures(line) {
            let number = ["step", "paren", "number"].iter().find_map(|n| item.name(n)?.as_str().parse().ok());
            let lead = item.name("lead").map_or("", |m| m.as_str());
            let indent = lead.chars().map(|c| if c == '\t' { 4 } else { usize::from(c == ' ') }).sum();
            out.push(Line::Item { indent, number, text: item.name("text").map_or("", |m| m.as_str()) });
        } else {
            out.push(Line::Text(line));
        }
    }
    out
}

/// The outermost items of the answer's list: the numbered ones when there are two or more of them, otherwise the
/// bullets; first value. Nested items do not count. Second value: whether they are numbered.
pub(super) fn outer_items(answer: &str) -> (usize, bool) {
    let lines = lines(answer);
    let count = |numbered: bool| {
        let indents = lines.iter().filter_map(|l| match l {
            Line::Item { indent, number, .. } if number.is_some() == numbered => Some(*indent),
            _ => None,
        });
        let indents: Vec<usize> = indents.collect();
        // One column of slack: " 1." beside "10.".
        let outermost = indents.iter().min().map_or(0, |least| least + 1);
        indents.into_iter().filter(|i| *i <= outermost).count()
    };
    let (numbered, bullets) = (count(true), count(false));
    if numbered >= 2 { (numbered, true) } else { (bullets.max(numbered), false) }
}

static MARKUP: LazyLock<Regex> = LazyLock::new(|| regex(r"[*_`~]+|^\s*(?:>\s*)*#{1,6}\s+|^\s*>+\s?"));
static LINK: LazyLock<Regex> = LazyLock::new(|| regex(r"!?\[([^\]]*)\]\([^)\s]*\)"));
static TABLE_RULE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$"));

/// Whether `line` is the line under a Markdown table's head.
pub(super) fn is_table_rule(line: &str) -> bool {
    TABLE_RULE.is_match(line)
}

/// One line without emphasis, heading and quote marks, links and table bars.
pub(super) fn unmarked(line: &str) -> String {
    if is_table_rule(line) {
        return String::new();
    }
    let line = LINK.replace_all(line, "$1");
    MARKUP.replace_all(&line, "").replace('|', " ")
}

/// The readable text, a line each: without markup, list marks and fences, with the code itself.
pub(super) fn plain(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    for (line, kind) in answer.lines().zip(lines(answer)) {
        match kind {
            Line::Blank => {}
            Line::Code if is_fence(line) => {}
            Line::Code => out.push_str(line),
            Line::Item { text, .. } => out.push_str(&unmarked(text)),
            Line::Text(text) => out.push_str(&unmarked(text)),
        }
        out.push('\n');
    }
    out
}

/// As [`plain`], without code blocks.
pub(super) fn prose(answer: &str) -> String {
    let mut out = String::new();
    for kind in lines(answer) {
        match kind {
            Line::Blank | Line::Code => {}
            Line::Item { text, .. } | Line::Text(text) => out.push_str(&unmarked(text)),
        }
        out.push('\n');
    }
    out
}

fn is_cjk(c: char) -> bool {
    ('\u{3400}'..='\u{9FFF}').contains(&c) || ('\u{F900}'..='\u{FAFF}').contains(&c)
}

/// Words of a text: runs between white space that hold a letter or digit; each CJK character is a word.
pub(super) fn count_words(answer: &str) -> usize {
    let plain = plain(answer);
    let mut count = 0;
    for token in plain.split_whitespace() {
        count += token.chars().filter(|c| is_cjk(*c)).count();
        count += token.split(is_cjk).filter(|part| part.chars().any(char::is_alphanumeric)).count();
    }
    count
}

/// Abbreviations whose full stop ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "approx", "no", "fig", "inc", "ltd",
    "jr", "sr", "a.m", "p.m", "u.s", "cf", "al", "min", "max", "tbsp", "tsp", "oz", "lb",
];

/// Sentences of a text. A list item or heading ends one, whether it has a full stop or not; so does a blank line.
/// Code does not count.
pub(super) fn count_sentences(answer: &str) -> usize {
    let mut blocks: Vec<String> = vec![String::new()];
    for line in lines(answer) {
        match line {
            Line::Blank | Line::Code => blocks.push(String::new()),
            Line::Item { text, .. } => blocks.push(unmarked(text)),
            Line::Text(text) => {
                let heading = text.trim_start().starts_with('#');
                let block = blocks.last_mut().filter(|_| !heading);
                match block {
                    Some(block) => {
                        block.push(' ');
                        block.push_str(&unmarked(text));
                    }
                    None => blocks.extend([unmarked(text), String::new()]),
                }
            }
        }
    }
    blocks.iter().map(|b| sentences_of_block(b)).sum()
}

fn sentences_of_block(block: &str) -> usize {
    let chars: Vec<char> = block.chars().collect();
    let (mut count, mut content, mut word) = (0, false, String::new());
    for (i, c) in chars.iter().enumerate() {
        let next = chars.get(i + 1).copied();
        let ends = match c {
            '。' | '！' | '？' => true,
            // "3.5", "e.g." and "...and" go on; a full stop before white space, a quote or the end does not.
            '.' | '!' | '?' | '…' => {
                let boundary = next.is_none_or(|n| n.is_whitespace() || "\"'”’)]*".contains(n) || is_cjk(n));
                let last = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
                let abbreviation = *c == '.'
                    && (ABBREVIATIONS.contains(&last.as_str())
                        || (last.chars().count() == 1 && last.chars().all(char::is_alphabetic)));
                let more = || chars[i + 1..].iter().any(|c| c.is_alphanumeric());
                boundary && !(abbreviation && more())
            }
            _ => false,
        };
        if c.is_alphanumeric() {
            content = true;
        }
        if c.is_whitespace() {
            word.clear()
        } else {
            word.push(*c)
        }
        if ends && content {
            count += 1;
            content = false;
        }
    }
    count + usize::from(content)
}

/// Paragraphs: blocks between blank lines; every list item and every code block is one of its own. A heading belongs
/// to the block after it.
pub(super) fn count_paragraphs(answer: &str) -> usize {
    let (mut count, mut open, mut code) = (0, false, false);
    for line in lines(answer) {
        let is_code = line == Line::Code;
        match line {
            Line::Blank => open = false,
            Line::Code => count += usize::from(!code),
            Line::Item { .. } => {
                count += 1;
                open = true;
            }
            Line::Text(text) if text.trim_start().starts_with('#') => open = false,
            Line::Text(_) => {
                count += usize::from(!open);
                open = true;
            }
        }
        code = is_code;
        if is_code {
            open = false;
        }
    }
    count
}

/// Lower case, straight quotes, single spaces, no markup: how phrases are compared.
pub(super) fn folded(text: &str) -> String {
    let straight = text.chars().map(|c| match c {
        '“' | '”' | '„' => '"',
        '‘' | '’' => '\'',
        '\u{A0}' => ' ',
        c => c,
    });
    let lower = straight.collect::<String>().to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
