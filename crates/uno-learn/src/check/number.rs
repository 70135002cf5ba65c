//! Numbers in words, in English and Chinese.

/// Replaces English number words up to 999 by digits: "a hundred and twenty words" gives "120 words". "one" stays a
/// word before "of" and after "this", "that", "which" or "the", where it is a pronoun.
pub(super) fn digits(text: &str) -> String {
    let tokens: Vec<&str> = text.split(' ').collect();
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        let pronoun = tokens[i] == "one"
            && (tokens.get(i + 1) == Some(&"of")
                || out.last().is_some_and(|w| ["this", "that", "which", "the", "no"].contains(&w.as_str())));
        match (!pronoun).then(|| read(&tokens[i..])).flatten() {
            Some((value, taken, tail)) => {
                out.push(format!("{value}{tail}"));
                i += taken;
            }
            None => {
                out.push(tokens[i].to_owned());
                i += 1;
            }
        }
    }
    out.join(" ")
}

/// The number at the start of `tokens`, how many tokens it takes, and what is glued to the last one ("-sentence", ",").
fn read<'a>(tokens: &[&'a str]) -> Option<(u64, usize, &'a str)> {
    let (mut value, mut taken, mut tail) = (0, 0, "");
    if let ([a, b, ..], true) = (tokens, tokens.len() > 1)
        && *a == "a"
        && split(b).0 == "hundred"
    {
        (value, taken, tail) = (100, 2, split(b).1);
    }
    while tail.is_empty() && taken < tokens.len() {
        let (word, rest) = split(tokens[taken]);
        if let Some(compound) = compound(tokens[taken]).filter(|_| value % 100 == 0) {
            (value, tail) = (value + compound.0, compound.1);
        } else if word == "hundred" && (1..10).contains(&value) {
            (value, tail) = (value * 100, rest);
        } else if let Some(n) = word_value(word).filter(|n| fits(value, *n, taken)) {
            (value, tail) = (value + n, rest);
        } else if word == "and" && rest.is_empty() && value >= 100 && value % 100 == 0 {
            // Only "hundred and <number>" goes on.
            let next = tokens.get(taken + 1).map(|t| split(t).0);
            next.and_then(word_value)
                .or_else(|| tokens.get(taken + 1).and_then(|t| compound(t)).map(|c| c.0))?;
        } else {
            break;
        }
        taken += 1;
    }
    (taken > 0 && value > 0).then_some((value, taken, tail))
}

fn fits(value: u64, n: u64, taken: usize) -> bool {
    taken == 0
        || (value.is_multiple_of(100) && value >= 100)
        || (value % 100 >= 20 && value.is_multiple_of(10) && n < 10)
}

/// "twenty-five", also with something glued to it.
fn compound(token: &str) -> Option<(u64, &str)> {
    let (tens, rest) = token.split_once('-')?;
    let (unit, tail) = split(rest);
    let (tens, unit) = (word_value(tens)?, word_value(unit)?);
    (tens >= 20 && unit < 10).then_some((tens + unit, tail))
}

fn split(token: &str) -> (&str, &str) {
    let end = token.find(|c: char| !c.is_alphabetic()).unwrap_or(token.len());
    token.split_at(end)
}

fn word_value(word: &str) -> Option<u64> {
    const UNITS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let unit = UNITS.iter().position(|w| *w == word).filter(|n| *n > 0);
    let ten = TENS.iter().position(|w| *w == word).map(|n| (n + 2) * 10);
    unit.or(ten).map(|n| n as u64)
}

/// A number in ASCII digits or in Chinese ones up to 999 ("四十", "两百五十").
pub(super) fn chinese(text: &str) -> Option<usize> {
    if let Ok(n) = text.parse() {
        return Some(n);
    }
    let (mut total, mut digit) = (0, None);
    for c in text.chars() {
        match c {
            '百' | '十' => {
                let unit = if c == '百' { 100 } else { 10 };
                total += unit * digit.take().unwrap_or(1);
            }
            '零' if digit.is_none() => {}
            _ => {
                let value = if c == '两' {
                    2
                } else {
                    "一二三四五六七八九".chars().position(|d| d == c)? + 1
                };
                if digit.replace(value).is_some() {
                    return None;
                }
            }
        }
    }
    let total = total + digit.unwrap_or(0);
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    #[test]
    fn number_words() {
        for (words, expected) in [
            ("forty words", "40 words"),
            ("at most twenty-five words.", "at most 25 words."),
            ("a hundred words", "100 words"),
            ("one hundred and twenty words", "120 words"),
            ("two-sentence answer", "2-sentence answer"),
            ("sixty five words", "65 words"),
            ("one of them", "one of them"),
            ("this one", "this one"),
            ("two, three", "2, 3"),
            ("five ten", "5 10"),
            ("a recipe and one list", "a recipe and 1 list"),
        ] {
            assert_eq!(super::digits(words), expected);
        }
        for (text, n) in [
            ("四十", Some(40)),
            ("两百五十", Some(250)),
            ("十五", Some(15)),
            ("50", Some(50)),
            ("三", Some(3)),
            ("二三", None),
            ("", None),
        ] {
            assert_eq!(super::chinese(text), n, "{text}");
        }
    }
}
