//! Writing small GGUF files (version 3, little-endian): metadata and f32 matrices.

use std::borrow::Cow;
use std::io::{self, Write};

use super::value::code;
use super::{DEFAULT_ALIGNMENT, MAGIC};

const VERSION: u32 = 3;
/// GGML's type code of f32.
const F32: u32 = 0;

/// What a file will hold, in the order in which it was said.
#[derive(Debug, Default)]
pub(crate) struct GgufWriter<'a> {
    metadata: Vec<u8>,
    entries: u64,
    tensors: Vec<(String, [usize; 2], Cow<'a, [f32]>)>,
}

impl<'a> GgufWriter<'a> {
    /// A text.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key, code::STRING);
        put_text(&mut self.metadata, value);
    }

    /// A whole number.
    pub(crate) fn u32(&mut self, key: &str, value: u32) {
        self.key(key, code::U32);
        self.metadata.extend(value.to_le_bytes());
    }

    /// A number.
    pub(crate) fn f32(&mut self, key: &str, value: f32) {
        self.key(key, code::F32);
        self.metadata.extend(value.to_le_bytes());
    }

    fn key(&mut self, key: &str, kind: u32) {
        put_text(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        self.entries += 1;
    }

    /// A row-major matrix of `shape` [rows, columns].
    pub(crate) fn tensor(&mut self, name: String, shape: [usize; 2], values: Cow<'a, [f32]>) {
        self.tensors.push((name, shape, values));
    }

    /// Writes the file: header, metadata, descriptions of the tensors, and their numbers, each at a multiple of 32 bytes.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend(self.entries.to_le_bytes());
        head.extend(&self.metadata);
        let mut offset = 0u64;
        for (name, [rows, columns], values) in &self.tensors {
            put_text(&mut head, name);
            head.extend(2u32.to_le_bytes());
            // GGUF names the innermost dimension first.
            head.extend((*columns as u64).to_le_bytes());
            head.extend((*rows as u64).to_le_bytes());
            head.extend(F32.to_le_bytes());
            head.extend(offset.to_le_bytes());
            offset = (offset + 4 * values.len() as u64).next_multiple_of(DEFAULT_ALIGNMENT);
        }
        pad(&mut head);
        out.write_all(&head)?;
        for (.., values) in &self.tensors {
            let mut bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            pad(&mut bytes);
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
