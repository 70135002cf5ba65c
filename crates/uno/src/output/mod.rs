//! What users see: results on stdout, progress on stderr.

mod progress;

use std::io::{IsTerminal, Write};

use serde::Serialize;

pub use progress::Bar;

/// Where and how to print.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    json: bool,
    quiet: bool,
    terminal: bool,
}

impl Console {
    /// Looks whether stderr is a terminal.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet, terminal: std::io::stderr().is_terminal() }
    }

    /// Prints the result: `value` as JSON with `--json`, otherwise what `text` makes of it. A closed pipe is no error.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let mut out = if self.json { serde_json::to_string_pretty(value)? } else { text(value) };
        if !out.ends_with('\n') {
            out.push('\n');
        }
        match std::io::stdout().write_all(out.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// One line of progress.
    pub fn note(&self, line: impl std::fmt::Display) {
        if !self.quiet {
            eprint_line(line);
        }
    }

    /// Something the user should know even with `--quiet`.
    pub fn warn(&self, line: impl std::fmt::Display) {
        eprint_line(format_args!("warning: {line}"));
    }

    /// Progress of `total` things; 0 when the number is not known yet.
    pub fn bar(&self, label: &str, total: u64) -> Bar {
        Bar::new(label, total, self.terminal, self.quiet)
    }
}

/// Stderr may be closed; progress is not worth failing for.
fn eprint_line(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Seconds as people say them.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s => format!("{} min {:02} s", (s / 60.0) as u64, (s % 60.0) as u64),
    }
}

/// A number with thin groups of thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(" ")
}

/// Rows as aligned columns, the first row being the head.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, w)| format!("{cell}{}", " ".repeat(w - cell.chars().count())))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([count(7), count(1234), count(1234567)], ["7", "1 234", "1 234 567"]);
        assert_eq!([duration(0.04), duration(59.6), duration(125.0)], ["0.0 s", "60 s", "2 min 05 s"]);
        let rows = [vec!["a".into(), "b".into()], vec!["long".into(), "c".into()]];
        assert_eq!(table(&rows), "a     b\nlong  c\n");
    }
}
