//! Our own record format: one [`Record`] as JSON a line, named `uno`.

use std::io::Write;

use uno_types::Record;

/// Writes one record and a line's end.
///
/// # Errors
/// Those of the writer.
pub fn write(writer: &mut impl Write, record: &Record) -> std::io::Result<()> {
    serde_json::to_writer(&mut *writer, record)?;
    writer.write_all(b"\n")
}
