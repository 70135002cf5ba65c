//! Bounds-checked reading of GGUF's little-endian primitives.
//!
//! Every count in the file is checked against the bytes that are left before anything is allocated for it, so that a
//! damaged header costs neither memory nor time.

/// A position in the file's bytes. Errors are sentences without the file's name, which the caller adds.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(length).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(format!(
                "cut short: {length} bytes wanted at {} of {}; fetch the file again",
                self.position,
                self.bytes.len()
            ));
        };
        let slice = &self.bytes[self.position..end];
        self.position = end;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of items that take at least `item` bytes each.
    pub(super) fn count(&mut self, what: &str, item: usize) -> Result<usize, String> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.position) / item.max(1);
        match usize::try_from(count) {
            Ok(n) if n <= left => Ok(n),
            _ => Err(format!(
                "says it has {count} {what}, but there is room for at most {left}; the file is cut short or damaged"
            )),
        }
    }

    /// A length-prefixed UTF-8 string; `what` names it in errors.
    pub(super) fn string(&mut self, what: &str) -> Result<String, String> {
        let length = self.count("bytes of text", 1).map_err(|e| format!("{what} {e}"))?;
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(e) => Err(format!("{what} is not UTF-8: {e}")),
        }
    }
}
