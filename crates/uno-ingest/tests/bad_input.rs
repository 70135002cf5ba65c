//! What people feed into it by mistake: each gets one clear message, or is counted with its place.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::io::Write;
use std::path::PathBuf;

use flate2::write::GzEncoder;
use uno_ingest::{Ingest, IngestError, IngestOptions, Summary};

const GOOD: &str = r#"{"messages":[{"role":"user","content":"N"},{"role":"assistant","content":"yes"}]}"#;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn read(path: PathBuf) -> Result<Summary, IngestError> {
    Ingest::default().read(&[path], &mut |_| ())
}

/// `n` different good rows.
fn good(n: usize) -> Vec<String> {
    (0..n).map(|i| GOOD.replace('N', &format!("question {i}"))).collect()
}

#[test]
fn empty_files() {
    let files = Files::new();
    for content in ["", "\n\n  \n", "[]", "\u{FEFF}"] {
        let error = read(files.write("empty.jsonl", content)).unwrap_err();
        assert!(matches!(error, IngestError::NoRecords { .. }), "{content:?}: {error}");
        assert!(error.to_string().contains("no records"));
    }
}

#[test]
fn missing_files_and_empty_directories() {
    let files = Files::new();
    let error = read(files.0.path().join("nowhere.jsonl")).unwrap_err().to_string();
    assert!(error.contains("nowhere.jsonl"), "{error}");
    files.write("notes.txt", "x");
    let error = read(files.0.path().to_owned()).unwrap_err();
    assert!(matches!(error, IngestError::NoFiles(_)), "{error}");
}

#[test]
fn other_formats_are_named() {
    let files = Files::new();
    for (name, content, hint) in [
        ("a.jsonl", &b"PAR1xxxx"[..], "Parquet"),
        ("b.jsonl", b"PK\x03\x04zip", "zip"),
        ("c.jsonl", b"\xFF\xFEx\x00", "UTF-16"),
        ("d.jsonl", b"id,text\n1,hello\n", "not JSON"),
        ("e.jsonl", b"{\"price\": 3, \"title\": \"x\"}\n", "its fields are price, title"),
        ("f.jsonl", b"{\n  \"messages\": []\n}\n", "ends too early"),
        ("g.jsonl", b"\"text\"\n3\n", "a text"),
    ] {
        let error = read(files.write(name, content)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, IngestError::UnknownFormat { .. }), "{name}: {text}");
        assert!(text.contains(hint) && text.contains("known formats are uno"), "{name}: {text}");
    }
}

#[test]
fn bad_rows_are_counted_with_their_place() {
    let files = Files::new();
    let mut rows = good(400);
    rows[6] = "{\"messages\": 3}".into();
    rows[9] = "{\"messages\":[{\"role\":\"wizard\",\"content\":\"x\"}]}".into();
    let mut bytes = rows.join("\r\n").into_bytes();
    bytes.extend(b"\n\xFF\xFE{}\n{\"messages\":[{\"role\":\"us");
    let summary = read(files.write("log.jsonl", bytes)).unwrap();
    assert_eq!((summary.read, summary.kept, summary.bad), (402, 398, 4));
    let lines: Vec<u64> = summary.bad_examples.iter().map(|b| b.line).collect();
    assert_eq!(lines, [7, 10, 401, 402]);
    let reasons: Vec<&str> = summary.bad_examples.iter().map(|b| b.reason.as_str()).collect();
    assert!(reasons[0].contains("not a openai row") && reasons[1].contains("wizard"), "{reasons:?}");
    assert!(
        reasons[2].contains("not UTF-8 from byte 1") && reasons[3].contains("ends too early"),
        "{reasons:?}"
    );
}

#[test]
fn too_many_bad_rows_are_an_error() {
    let files = Files::new();
    let mut rows = good(50);
    rows.push("{".into());
    // One bad row is always allowed: half a line at the end of a live log.
    assert_eq!(read(files.write("one.jsonl", rows.join("\n"))).unwrap().bad, 1);
    rows.push("{".into());
    let path = files.write("two.jsonl", rows.join("\n"));
    let error = read(path.clone()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("2 of 52 rows are bad") && text.contains("two.jsonl:51") && text.contains("--max-bad"),
        "{text}"
    );
    let lenient = IngestOptions { max_bad: 0.05, ..IngestOptions::default() };
    assert_eq!(Ingest::new(lenient).read(&[path], &mut |_| ()).unwrap().kept, 50);
}

#[test]
fn a_hopeless_file_is_given_up_early() {
    let files = Files::new();
    let mut rows = good(30);
    rows.extend((0..5000).map(|_| "{".to_owned()));
    match read(files.write("hopeless.jsonl", rows.join("\n"))).unwrap_err() {
        IngestError::TooManyBad { bad, .. } => assert_eq!(bad, 1000),
        other => panic!("{other}"),
    }
}

#[test]
fn cut_arrays_and_gzip_keep_what_came_before() {
    let files = Files::new();
    let array = format!("[{}", good(10).join(","));
    let cut = &array[..array.len() - 20];
    let summary = read(files.write("cut.json", cut)).unwrap();
    assert_eq!((summary.kept, summary.bad), (9, 1));
    assert!(summary.bad_examples[0].reason.contains("ends inside"));

    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all((good(2000).join("\n") + "\n").as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    assert_eq!(read(files.write("whole.jsonl.gz", &whole)).unwrap().kept, 2000);
    let summary = read(files.write("cut.jsonl.gz", &whole[..whole.len() / 2])).unwrap();
    assert!(summary.bad >= 1 && summary.kept > 500, "{summary:?}");
    assert!(summary.bad_examples.last().unwrap().reason.contains("cannot be read further"));
}

#[test]
fn byte_order_mark_and_windows_line_ends() {
    let files = Files::new();
    let summary = read(files.write("bom.jsonl", format!("\u{FEFF}{}\r\n", good(2).join("\r\n")))).unwrap();
    assert_eq!((summary.kept, summary.bad), (2, 0));
}

/// Gives a line of `left` bytes without ever holding it.
#[test]
fn a_huge_line_is_skipped_in_little_memory() {
    let files = Files::new();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let rows = good(2);
    writeln!(encoder, "{}", rows[0]).unwrap();
    let block = vec![b'x'; 1 << 20];
    let blocks = 256;
    for _ in 0..blocks {
        encoder.write_all(&block).unwrap();
    }
    writeln!(encoder, "\n{}", rows[1]).unwrap();
    let path = files.write("huge.jsonl.gz", encoder.finish().unwrap());
    let before = peak_memory();
    let summary = read(path).unwrap();
    assert_eq!((summary.kept, summary.bad), (2, 1));
    let bad = &summary.bad_examples[0];
    assert_eq!(bad.line, 2);
    assert!(bad.reason.contains(&format!("row of {} bytes", blocks << 20)), "{}", bad.reason);
    // 16 MiB is the longest row that is held; doubling while it grows makes it twice that.
    let grown = peak_memory().zip(before).map(|(after, before)| after.saturating_sub(before));
    assert!(grown.is_none_or(|kib| kib < 100 << 10), "{grown:?} KiB");
}

/// Peak resident memory in KiB, where the system says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
