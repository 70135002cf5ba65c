//! Python literals as JSON values: MemoryBench keeps lists and dictionaries as the text that Python's `repr` gives.

use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 128;

/// Reads a Python literal (what `ast.literal_eval` takes, without sets, bytes and complex numbers). Keys of
/// dictionaries become texts; tuples become lists.
///
/// # Errors
/// What stands where something else was expected, with the position in characters.
pub fn parse(text: &str) -> Result<Value, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at == chars.len() { Ok(value) } else { Err(reader.expected("the end")) }
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Skips white space and takes `c` if it is next.
    fn take(&mut self, c: char) -> bool {
        self.space();
        let there = self.peek() == Some(c);
        self.at += usize::from(there);
        there
    }

    fn expected(&self, what: &str) -> String {
        let found: String = self.chars.iter().skip(self.at).take(20).collect();
        format!("expected {what} at character {}, found `{found}`", self.at + 1)
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        self.space();
        match self.peek() {
            Some('[') => self.list(']', depth).map(|(items, _)| Value::Array(items)),
            Some('(') => {
                let (mut items, comma) = self.list(')', depth)?;
                // One value in parentheses without a comma is that value.
                if items.len() == 1 && !comma { Ok(items.remove(0)) } else { Ok(Value::Array(items)) }
            }
            Some('{') => self.dictionary(depth),
            _ if self.opens_text() => self.texts().map(Value::String),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            _ => self.word(),
        }
    }

    /// The items up to `end`, and whether a comma stood before it.
    fn list(&mut self, end: char, depth: usize) -> Result<(Vec<Value>, bool), String> {
        self.at += 1;
        let (mut items, mut comma) = (Vec::new(), false);
        loop {
            if self.take(end) {
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return Err(self.expected(&format!("`,` or `{end}`")));
            }
            items.push(self.value(depth + 1)?);
            comma = self.take(',');
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let (mut map, mut comma) = (Map::new(), true);
        loop {
            if self.take('}') {
                return Ok(Value::Object(map));
            }
            if !comma {
                return Err(self.expected("`,` or `}`"));
            }
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                other => other.to_string(),
            };
            if !self.take(':') {
                return Err(self.expected("`:`"));
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            comma = self.take(',');
        }
    }

    /// One text, or several side by side, which Python joins.
    fn texts(&mut self) -> Result<String, String> {
        let mut out = String::new();
        loop {
            self.text(&mut out)?;
            self.space();
            if !self.opens_text() {
                return Ok(out);
            }
        }
    }

    /// Whether a quotation mark is next, with or without `u` or `r` before it.
    fn opens_text(&self) -> bool {
        let quote = |i: usize| matches!(self.chars.get(i), Some('\'' | '"'));
        quote(self.at) || (matches!(self.peek(), Some('u' | 'U' | 'r' | 'R')) && quote(self.at + 1))
    }

    fn text(&mut self, out: &mut String) -> Result<(), String> {
        let raw = matches!(self.peek(), Some('r' | 'R'));
        if !matches!(self.peek(), Some('\'' | '"')) {
            self.at += 1;
        }
        let Some(quote) = self.peek() else { return Err(self.expected("a text")) };
        let is = |reader: &Self, n: usize| (0..n).all(|i| reader.chars.get(reader.at + i) == Some(&quote));
        let width = if is(self, 3) { 3 } else { 1 };
        self.at += width;
        loop {
            if is(self, width) {
                self.at += width;
                return Ok(());
            }
            let Some(c) = self.peek() else { return Err(self.expected("the end of the text")) };
            self.at += 1;
            match c {
                '\n' if width == 1 => return Err(self.expected("the end of the text before the line's end")),
                '\\' if !raw => self.escape(out)?,
                '\\' => {
                    out.push('\\');
                    out.extend(self.peek());
                    self.at += 1;
                }
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let Some(c) = self.peek() else { return Err(self.expected("an escape")) };
        self.at += 1;
        let simple = match c {
            '\n' => return Ok(()),
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' => c,
            'x' => self.code(2, 16)?,
            'u' => self.code(4, 16)?,
            'U' => self.code(8, 16)?,
            '0'..='7' => {
                self.at -= 1;
                let digits = self.chars[self.at..].iter().take(3).take_while(|c| ('0'..='7').contains(*c));
                let n = digits.count();
                self.code(n, 8)?
            }
            // Python keeps what it does not know.
            other => {
                out.push('\\');
                other
            }
        };
        out.push(simple);
        Ok(())
    }

    /// The character whose number stands in the next `digits` digits. Half of a surrogate pair becomes U+FFFD.
    fn code(&mut self, digits: usize, radix: u32) -> Result<char, String> {
        let text: String = self.chars.iter().skip(self.at).take(digits).collect();
        let number = u32::from_str_radix(&text, radix).ok().filter(|_| text.chars().count() == digits);
        let number = number.ok_or_else(|| self.expected(&format!("{digits} digits")))?;
        self.at += digits;
        match number {
            0xD800..=0xDFFF => Ok('\u{FFFD}'),
            _ => char::from_u32(number).ok_or_else(|| self.expected("a character's number")),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_')) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().filter(|c| **c != '_').collect();
        let bare = text.trim_start_matches('+');
        let parsed = match bare.parse::<i64>() {
            Ok(n) => Some(Number::from(n)),
            Err(_) => bare.parse::<f64>().ok().and_then(Number::from_f64),
        };
        self.at = if parsed.is_some() { self.at } else { start };
        parsed.map(Value::Number).ok_or_else(|| self.expected("a number"))
    }

    fn word(&mut self) -> Result<Value, String> {
        for (word, value) in
            [("None", Value::Null), ("True", Value::Bool(true)), ("False", Value::Bool(false))]
        {
            let end = self.at + word.len();
            let next = self.chars.get(end);
            if self.chars[self.at..].iter().take(word.len()).copied().eq(word.chars())
                && !next.is_some_and(|c| c.is_alphanumeric() || *c == '_')
            {
                self.at = end;
                return Ok(value);
            }
        }
        Err(self.expected("a value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn as_python_reads_it() {
        for (text, value) in [
            ("[{'role': 'user', 'content': \"it's\"}, ]", json!([{"role": "user", "content": "it's"}])),
            (
                "{'a': None, 'b': True, 'c': -1.5e3, 2: (1,), 'd': (7)}",
                json!({"a": null, "b": true, "c": -1500.0, "2": [1], "d": 7}),
            ),
            (
                r"'a\n\x41\u4e2d\101\q' u'b' '''c
d'''",
                json!("a\nA中A\\qbc\nd"),
            ),
            (r"r'\n'", json!("\\n")),
            (" [] ", json!([])),
            ("1_000", json!(1000)),
        ] {
            assert_eq!(parse(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_literal_is_refused_with_its_place() {
        for text in [
            "",
            "[1 2]",
            "{'a' 1}",
            "'open",
            "__import__('os')",
            "[1,,2]",
            "Nonesuch",
            "'\\x4'",
            "1 2",
            "{1: 2",
            "nan",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("character"), "{text}: {error}");
        }
        assert!(parse(&"[".repeat(100_000)).unwrap_err().contains("deeper"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn texts_come_back(text in "[a-z'\"\\\\\n中]{0,20}") {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
            prop_assert_eq!(parse(&format!("'{escaped}'")).unwrap(), json!(text));
        }
    }
}
