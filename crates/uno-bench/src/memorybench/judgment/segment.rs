//! The parts of a Chinese criminal judgment of first instance: reasons and decision.

use std::sync::LazyLock;

use regex::Regex;

/// What a judgment says why, and what it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// From "the court holds" to "decides as follows"; all that is left when the latter is missing.
    pub reason: String,
    /// After that, up to the instruction on appeals.
    pub decision: String,
}

/// Compiles the patterns below; they are constants, so a wrong one would show in every test.
fn patterns(list: &[&str]) -> Vec<Regex> {
    list.iter().filter_map(|p| Regex::new(p).ok()).collect()
}

static HEADING: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    patterns(&["审理终结[\u{4e00}-\u{9fa5}]{0,10}。", "公开开庭审理[\u{4e00}-\u{9fa5}]{0,10}。"])
});
static CHARGE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    patterns(&["[\u{4e00}-\u{9fa5}]{0,10}(公诉|抗诉)机关[\u{4e00}-\u{9fa5}，、]{0,30}(认为|指控)"])
});
static REASON: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(&["本院认为"]));
static DECISION: LazyLock<Vec<Regex>> =
    LazyLock::new(|| patterns(&["判决如下[:：,，\n]", "判决如下", "裁定(如下)?[:：\n]"]));
static END: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    patterns(&[
        "如[\u{4e00}-\u{9fa5}]{0,3}不服本判决",
        r"\n\s*本判决为终审判决",
        "如[\u{4e00}-\u{9fa5}]{0,5}未按本判决指定的期间[\u{4e00}-\u{9fa5}]{0,5}给付金钱义务",
        r"\n\s*(代理)?审\s{0,3}判\s{0,3}长",
        r"\n\s*(代理)?审\s{0,3}判\s{0,3}员",
        "附录",
        "附：",
        "附[\u{4e00}-\u{9fa5}]{0,10}法律[\u{4e00}-\u{9fa5}]{0,10}",
        "附[\u{4e00}-\u{9fa5}]{0,10}：",
        "\n\\s*本案[^\n]{0,10}法律",
        "\n《",
    ])
});

/// Splits a judgment.
pub fn parts(document: &str) -> Parts {
    let clean = with_chinese_marks(document);
    let mut rest = clean.as_str();
    match first(&HEADING, rest) {
        Some((_, end)) => rest = &rest[end..],
        None => rest = first(&CHARGE, rest).map_or(rest, |(start, _)| &rest[start..]),
    }
    rest = first(&REASON, rest).map_or(rest, |(start, _)| &rest[start..]);
    let Some((_, end)) = first(&DECISION, rest) else {
        return Parts { reason: rest.to_owned(), decision: String::new() };
    };
    let (reason, rest) = rest.split_at(end);
    let decision = match first(&END, rest) {
        Some((start, _)) if start > 0 => &rest[..start],
        _ => rest,
    };
    Parts { reason: reason.to_owned(), decision: decision.to_owned() }
}

/// Where the first pattern that occurs at all occurs first.
fn first(patterns: &[Regex], text: &str) -> Option<(usize, usize)> {
    patterns.iter().find_map(|p| p.find(text)).map(|m| (m.start(), m.end()))
}

static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("<[^<>]*>").ok());

/// Chinese marks for ASCII ones, no blanks, no markup; commas between digits stay.
fn with_chinese_marks(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\u{FFFD}'))
        .map(|c| match c {
            ':' => '：',
            '(' => '（',
            ')' => '）',
            '\u{3000}' | '\u{a0}' => ' ',
            other => other,
        })
        .collect();
    let chars: Vec<char> = text.chars().collect();
    let digit = |i: Option<usize>| i.and_then(|i| chars.get(i)).is_some_and(char::is_ascii_digit);
    let comma = |(i, c): (usize, &char)| {
        if *c == ',' && !digit(i.checked_sub(1)) && !digit(Some(i + 1)) { '，' } else { *c }
    };
    let text: String = chars.iter().enumerate().map(comma).collect();
    let text = TAG.as_ref().map_or(text.clone(), |tag| tag.replace_all(&text, "").into_owned());
    text.trim().to_owned()
}
