//! Rows of a file: lines of JSONL, or elements of a JSON array. No row takes more memory than the limit.

use std::io::{self, BufRead};

/// One row as bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Its text, without the line's end.
    Bytes(Vec<u8>),
    /// It was longer than the limit and has been skipped; its length in bytes.
    TooLong(u64),
    /// The file ends inside it.
    Cut,
}

/// Reads rows one by one.
pub(crate) struct Rows<R> {
    reader: R,
    limit: usize,
    array: bool,
    done: bool,
    number: u64,
}

impl<R: BufRead> Rows<R> {
    /// Rows of `reader`, each at most `limit` bytes. A first byte `[` makes it a JSON array.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn new(mut reader: R, limit: usize) -> io::Result<Self> {
        let mut array = false;
        loop {
            let head = reader.fill_buf()?;
            if head.is_empty() {
                break;
            }
            match head.iter().position(|b| !b.is_ascii_whitespace()) {
                // Blank lines before the first row count as lines: leave them to the line reader unless it is an array.
                Some(at) => {
                    array = head[at] == b'[';
                    if array {
                        reader.consume(at + 1);
                    }
                    break;
                }
                None => {
                    let blank = head.len();
                    reader.consume(blank);
                }
            }
        }
        Ok(Self { reader, limit, array, done: false, number: 0 })
    }

    /// The next row with its number from 1; `None` at the end. Blank lines are skipped, but counted.
    ///
    /// # Errors
    /// Those of the reader, once: the next call returns `None`.
    pub fn next_row(&mut self) -> io::Result<Option<(u64, Row)>> {
        if self.done {
            return Ok(None);
        }
        let result = if self.array { self.next_element() } else { self.next_line() };
        if !matches!(result, Ok(Some(_))) {
            self.done = true;
        }
        result
    }

    fn next_line(&mut self) -> io::Result<Option<(u64, Row)>> {
        loop {
            let (mut line, mut length, mut ended) = (Vec::new(), 0u64, false);
            while !ended {
                let chunk = self.reader.fill_buf()?;
                if chunk.is_empty() {
                    break;
                }
                let (part, used) = match chunk.iter().position(|b| *b == b'\n') {
                    Some(at) => (&chunk[..at], at + 1),
                    None => (chunk, chunk.len()),
                };
                ended = used > part.len();
                length += part.len() as u64;
                if length <= self.limit as u64 {
                    line.extend_from_slice(part);
                } else {
                    line = Vec::new();
                }
                self.reader.consume(used);
            }
            if length == 0 && !ended {
                return Ok(None);
            }
            self.number += 1;
            if length > self.limit as u64 {
                return Ok(Some((self.number, Row::TooLong(length))));
            }
            let blank = line.iter().all(u8::is_ascii_whitespace);
            if !blank {
                while line.last().is_some_and(u8::is_ascii_whitespace) {
                    line.pop();
                }
                return Ok(Some((self.number, Row::Bytes(line))));
            }
        }
    }

    /// One element: bytes up to the comma or bracket that ends it on the array's own level.
    fn next_element(&mut self) -> io::Result<Option<(u64, Row)>> {
        let (mut element, mut length) = (Vec::new(), 0u64);
        let (mut depth, mut in_string, mut escaped) = (0u32, false, false);
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                self.done = true;
                if length == 0 {
                    return Ok(None);
                }
                self.number += 1;
                return Ok(Some((self.number, Row::Cut)));
            }
            let (mut used, mut end) = (0, None);
            for b in chunk {
                used += 1;
                if in_string {
                    in_string = escaped || *b != b'"';
                    escaped = !escaped && *b == b'\\';
                } else {
                    match b {
                        b'"' => in_string = true,
                        b'[' | b'{' => depth += 1,
                        b',' | b']' if depth == 0 => {
                            end = Some(*b);
                            break;
                        }
                        b']' | b'}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
                if length > 0 || !b.is_ascii_whitespace() {
                    length += 1;
                    if length <= self.limit as u64 {
                        element.push(*b);
                    } else if !element.is_empty() {
                        element = Vec::new();
                    }
                }
            }
            self.reader.consume(used);
            if let Some(end) = end {
                self.done = end == b']';
                if length == 0 {
                    if self.done {
                        return Ok(None);
                    }
                    continue;
                }
                self.number += 1;
                let row = if length > self.limit as u64 { Row::TooLong(length) } else { Row::Bytes(element) };
                return Ok(Some((self.number, row)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &[u8], limit: usize, buffer: usize) -> Vec<(u64, Row)> {
        let reader = io::BufReader::with_capacity(buffer, text);
        let mut rows = Rows::new(reader, limit).unwrap();
        let mut out = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            out.push(row);
        }
        out
    }

    fn bytes(text: &str) -> Row {
        Row::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_keep_their_numbers() {
        for buffer in [1, 3, 100] {
            let found = rows(b"{}\r\n\n  \n[1]\nlast", 100, buffer);
            assert_eq!(found, [(1, bytes("{}")), (4, bytes("[1]")), (5, bytes("last"))]);
        }
        assert_eq!(rows(b"", 9, 9), []);
        assert_eq!(rows(b" \n\n", 9, 9), []);
    }

    #[test]
    fn long_lines_are_skipped() {
        for buffer in [1, 4, 100] {
            let found = rows(b"12345678\n12\n", 4, buffer);
            assert_eq!(found, [(1, Row::TooLong(8)), (2, bytes("12"))]);
        }
    }

    #[test]
    fn array_elements() {
        for buffer in [1, 3, 100] {
            let found = rows(br#" [ {"a":"],\"["} , [1,2],"x" ] "#, 100, buffer);
            assert_eq!(found, [(1, bytes(r#"{"a":"],\"["} "#)), (2, bytes("[1,2]")), (3, bytes(r#""x" "#))]);
            let found = rows(br#"[{"a":1},{"long":"aaaaaaaaaaaaaaaa"},{"b":"cut"#, 12, buffer);
            assert_eq!(found, [(1, bytes(r#"{"a":1}"#)), (2, Row::TooLong(27)), (3, Row::Cut)]);
        }
        assert_eq!(rows(b"[]", 9, 9), []);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(text in prop::collection::vec(prop::sample::select(&b"[]{},\"\\\n a1\xff"[..]), 0..60), buffer in 1usize..9) {
            for (number, row) in rows(&text, 8, buffer) {
                prop_assert!(number > 0);
                if let Row::Bytes(b) = row {
                    prop_assert!(b.len() <= 8);
                }
            }
        }
    }
}
