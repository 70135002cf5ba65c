//! The log's conformance suite: the same on SQLite and, where `UNO_TEST_POSTGRES` names one, on Postgres.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use uno_store::live::{
    Entry, FeedbackRow, LogStore, LogWriter, RequestRow, WriterOptions, conversations, open,
};
use uno_types::Message;

fn request(id: &str, time: i64, parent: &str, prompt: &str, turns: &[&str], answer: &str) -> RequestRow {
    let messages = turns.iter().enumerate().map(|(i, t)| match i % 2 {
        0 => Message::user(*t),
        _ => Message::assistant(*t),
    });
    RequestRow {
        id: id.into(),
        time,
        conversation: "conv".into(),
        parent: parent.into(),
        prompt: prompt.into(),
        after: format!("{prompt}+{answer}"),
        path: "expert".into(),
        plan: "p1".into(),
        arm: "plan".into(),
        cluster: Some(3),
        prompt_tokens: Some(5),
        outcome: "ok".into(),
        status: 200,
        stream: true,
        messages: messages.collect(),
        answer: answer.into(),
        ..RequestRow::default()
    }
}

fn feedback(decision: &str, time: i64) -> FeedbackRow {
    FeedbackRow { decision: decision.into(), time, ..FeedbackRow::default() }
}

fn all(store: &mut dyn LogStore) -> Vec<RequestRow> {
    let mut rows = Vec::new();
    store.requests(0, &mut |r| rows.push(r)).unwrap();
    rows
}

/// What every store must do. It begins empty.
fn conforms(mut store: Box<dyn LogStore>) {
    let store = store.as_mut();
    let a = RequestRow { answer: "so\0 „“ 𝄞".into(), ..request("a", 1000, "", "p1", &["how?"], "so") };
    let b = request("b", 2000, "p1+so", "p2", &["how?", "so", "shorter"], "ok");
    let write = |store: &mut dyn LogStore, rows: &[&RequestRow]| {
        let entries: Vec<Entry> = rows.iter().map(|r| Entry::Request(Box::new((*r).clone()))).collect();
        store.append(&entries).unwrap();
    };
    write(store, &[&b, &a]);
    // A request is written once, whatever comes again.
    write(store, &[&RequestRow { answer: "other".into(), ..a.clone() }]);
    let rows = all(store);
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0].id, &rows[1]), (&a.id, &b));
    assert_eq!(rows[0].answer.replace('\u{fffd}', "\0"), a.answer);
    let mut later = Vec::new();
    store.requests(1500, &mut |r| later.push(r.id)).unwrap();
    assert_eq!(later, ["b"]);

    // Feedback: idempotent, revisable, never replaced by an older one, deletable, by author.
    let up = FeedbackRow { thumbs: Some(1), rating: Some(0.25), ..feedback("a", 10) };
    let say =
        |store: &mut dyn LogStore, f: &FeedbackRow| store.append(&[Entry::Feedback(f.clone())]).unwrap();
    say(store, &up);
    say(store, &up);
    assert_eq!(store.feedback_of("a").unwrap(), std::slice::from_ref(&up));
    let down = FeedbackRow { thumbs: Some(-1), comment: Some("no".into()), ..feedback("a", 20) };
    say(store, &down);
    store.append_late(&[Entry::Feedback(up.clone())]).unwrap();
    assert_eq!(
        store.feedback_of("a").unwrap(),
        std::slice::from_ref(&down),
        "what waited in a spool is no news"
    );
    // The clock was put back: the last word counts all the same.
    say(store, &up);
    assert_eq!(store.feedback_of("a").unwrap(), std::slice::from_ref(&up));
    say(store, &down);
    let other = FeedbackRow { author: "ben".into(), thumbs: Some(1), ..feedback("a", 5) };
    say(store, &other);
    assert_eq!(store.feedback().unwrap(), [other.clone(), down.clone()]);

    let counts = store.counts(0).unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(
        (counts[0].requests, counts[0].liked, counts[0].complaints, counts[0].cluster),
        (2, 1, 1, Some(3))
    );
    say(store, &FeedbackRow { deleted: true, ..feedback("a", 30) });
    assert_eq!(store.feedback_of("a").unwrap(), [other]);
    assert_eq!(store.counts(0).unwrap()[0].complaints, 0);
    assert_eq!(store.feedback_of("nobody").unwrap(), []);

    // Asked again unchanged in the middle of a conversation: a complaint about the first answer.
    let again = request("c", 3000, "p1+so", "p2", &["how?", "so", "shorter"], "ok then");
    write(store, &[&again]);
    assert_eq!(store.counts(0).unwrap()[0].complaints, 1);
    assert_eq!(store.counts(2500).unwrap()[0].complaints, 0);

    assert_eq!((store.evidence(0).unwrap(), store.evidence(2500).unwrap()), (3, 1));
    assert_eq!(store.purge(2500, 1).unwrap(), 1 + 1, "the oldest request and the oldest feedback");
    assert_eq!(store.purge(2500, 10).unwrap(), 1 + 1);
    assert_eq!(all(store).iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn sqlite_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conforms(open(&dir.path().join("live.db").display().to_string()).unwrap());
}

#[test]
fn postgres_conforms() {
    let Ok(url) = std::env::var("UNO_TEST_POSTGRES") else {
        eprintln!("skipped: crates/uno-store/tests/postgres.sh starts a server and sets UNO_TEST_POSTGRES");
        return;
    };
    conforms(open(&url).unwrap());
    // Opened again: nothing to migrate, the rows are still there.
    assert_eq!(all(open(&url).unwrap().as_mut()).len(), 1);
    let error = open(&url.replace("@", ":hush@").replace("5432", "1")).err().unwrap().to_string();
    assert!(!error.contains("hush"), "{error}");
}

/// `UNO_TEST_POSTGRES_TLS`: the address of a server that takes no connection in the clear, without `?…`;
/// `UNO_TEST_POSTGRES_ROOT`: the file of its self-signed certificate.
#[test]
fn postgres_is_reached_by_tls_and_its_certificate_checked() {
    let known = |name| std::env::var(name).ok();
    let (Some(url), Some(root)) = (known("UNO_TEST_POSTGRES_TLS"), known("UNO_TEST_POSTGRES_ROOT")) else {
        eprintln!("skipped: see postgres_conforms");
        return;
    };
    conforms(open(&format!("{url}?sslmode=require&sslrootcert={root}")).unwrap());
    let refused = |more: &str| open(&format!("{url}{more}")).err().unwrap().to_string();
    let unknown = refused("?sslmode=require");
    assert!(unknown.contains("certificate"), "a certificate that nobody vouches for: {unknown}");
    let plain = refused("");
    assert!(plain.contains("no encryption"), "the server wants TLS: {plain}");
}

#[test]
fn a_newer_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.db");
    let place = path.display().to_string();
    drop(open(&place).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = open(&place).err().unwrap().to_string();
    assert!(error.contains("version 99") && error.contains("newer uno"), "{error}");
    std::fs::write(&path, "not a database, just text of some length to fill the header of the file").unwrap();
    let error = open(&place).err().unwrap().to_string();
    assert!(error.contains("live.db") && error.contains("not a database"), "{error}");
}

#[test]
fn conversations_come_back_whole_with_what_was_said_about_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("live.db").display().to_string()).unwrap();
    let a = request("a", 1, "", "p1", &["how?"], "so");
    let b = request("b", 2, "p1+so", "p2", &["how?", "so", "shorter"], "s");
    let again = request("c", 3, "p1+so", "p2", &["how?", "so", "shorter"], "short");
    let lone = RequestRow { outcome: "abandoned".into(), ..request("d", 4, "", "p9", &["x"], "y") };
    let entries: Vec<Entry> = [a, b, again, lone].into_iter().map(|r| Entry::Request(Box::new(r))).collect();
    store.append(&entries).unwrap();
    let said = [
        FeedbackRow { thumbs: Some(1), ..feedback("a", 1) },
        FeedbackRow { comment: Some("as a list".into()), corrected: Some("- s".into()), ..feedback("c", 1) },
        FeedbackRow { comment: Some("gone".into()), ..feedback("b", 1) },
    ];
    store.append(&said.map(Entry::Feedback)).unwrap();
    let mut records = Vec::new();
    conversations(store.as_mut(), "live.db", 0, &mut |r| records.push(r)).unwrap();
    assert_eq!(records.len(), 1);
    let turns: Vec<&str> = records[0].messages.iter().map(|m| m.content.as_str()).collect();
    assert_eq!(turns, ["how?", "so", "shorter", "short", "as a list", "- s"]);
    assert_eq!((records[0].accepted.as_slice(), records[0].id.as_str()), (&[1, 5][..], "c"));
    assert_eq!(records[0].feedback(), "1. shorter\n2. as a list");
}

fn writer(dir: &std::path::Path, spool_bytes: u64) -> LogWriter {
    LogWriter::start(WriterOptions {
        store: dir.join("db/live.db").display().to_string(),
        spool_dir: dir.join("spool"),
        spool_bytes,
        queue: 1000,
        keep_days: 0,
    })
    .unwrap()
}

fn acknowledged(writer: &LogWriter, f: FeedbackRow) -> Result<(), String> {
    let (tell, told) = channel();
    writer.acknowledge(Entry::Feedback(f), move |outcome| tell.send(outcome).unwrap());
    told.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn a_store_that_is_away_costs_nothing_and_gets_everything_later() {
    let dir = tempfile::tempdir().unwrap();
    // Its directory is missing: the store cannot be opened.
    let writer = writer(dir.path(), 1 << 20);
    for i in 0..50 {
        writer.log(10, move || {
            let row = request(&format!("r{i}"), i, "", "p", &["mail ana@example.org"], "a");
            Entry::Request(Box::new(row))
        });
    }
    acknowledged(&writer, FeedbackRow { comment: Some("call +44 20 7946 0958".into()), ..feedback("r1", 1) })
        .unwrap();
    let spooled: Vec<u8> = std::fs::read_dir(dir.path().join("spool"))
        .unwrap()
        .flat_map(|f| std::fs::read(f.unwrap().path()).unwrap())
        .collect();
    let spooled = String::from_utf8(spooled).unwrap();
    assert!(
        spooled.contains("<EMAIL>") && spooled.contains("<PHONE>") && !spooled.contains("ana@"),
        "{spooled}"
    );
    std::fs::create_dir(dir.path().join("db")).unwrap();
    let waited = Instant::now();
    while writer.stats().written.load(std::sync::atomic::Ordering::Relaxed) < 51 {
        assert!(waited.elapsed() < Duration::from_secs(20), "the store is never found again");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
    let mut store = open(&dir.path().join("db/live.db").display().to_string()).unwrap();
    assert_eq!(all(store.as_mut()).len(), 50);
    assert_eq!(store.feedback_of("r1").unwrap()[0].comment.as_deref(), Some("call <PHONE>"));
}

fn wait(until: impl Fn() -> bool) {
    let waited = Instant::now();
    while !until() {
        assert!(waited.elapsed() < Duration::from_secs(30), "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Another program holds the file, as an hour-long repair would.
#[test]
fn a_store_that_is_held_for_a_while_loses_nothing_and_what_finds_no_room_is_counted() {
    let count = |n: &std::sync::atomic::AtomicU64| n.load(std::sync::atomic::Ordering::Relaxed);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("db")).unwrap();
    let writer = writer(dir.path(), 64 << 10);
    let log = |i: usize| {
        let text = "word ".repeat(200);
        writer.log(10, move || {
            Entry::Request(Box::new(request(&format!("r{i:04}"), i as i64, "", "p", &[&text], "a")))
        });
    };
    log(0);
    wait(|| count(&writer.stats().written) == 1);
    let holder = rusqlite::Connection::open(dir.path().join("db/live.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    log(1);
    wait(|| writer.stats().store_down.load(std::sync::atomic::Ordering::Relaxed));
    acknowledged(&writer, FeedbackRow { thumbs: Some(1), ..feedback("r0000", 7) }).unwrap();
    // About 1.3 kB each: the requests' share of the spool is full after fifty.
    for i in 2..200 {
        log(i);
    }
    wait(|| count(&writer.stats().dropped) > 0 && count(&writer.stats().queued_bytes) == 0);
    acknowledged(&writer, FeedbackRow { thumbs: Some(-1), ..feedback("r0000", 8) }).unwrap();
    holder.execute_batch("ROLLBACK").unwrap();
    wait(|| !writer.stats().store_down.load(std::sync::atomic::Ordering::Relaxed));
    let stats = std::sync::Arc::clone(writer.stats());
    drop(writer);
    let mut store = open(&dir.path().join("db/live.db").display().to_string()).unwrap();
    let kept = all(store.as_mut());
    assert_eq!(kept.last().unwrap().id, "r0199", "the oldest had to go, not the newest");
    assert_eq!(store.feedback_of("r0000").unwrap()[0].thumbs, Some(-1));
    assert!(kept.len() < 200, "the spool is too small for all");
    assert_eq!(200 - kept.len() as u64, count(&stats.dropped));
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn feedback_that_finds_no_room_is_refused_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(dir.path(), 4 << 10);
    let outcomes: Vec<bool> =
        (0..20).map(|i| acknowledged(&writer, feedback(&format!("d{i}"), 1)).is_ok()).collect();
    assert!(outcomes[0] && !outcomes[19], "{outcomes:?}");
    drop(writer);
    std::fs::create_dir(dir.path().join("db")).unwrap();
    let again = self::writer(dir.path(), 4 << 10);
    acknowledged(&again, feedback("last", 2)).unwrap();
    drop(again);
    let mut store = open(&dir.path().join("db/live.db").display().to_string()).unwrap();
    let taken = outcomes.iter().filter(|o| **o).count();
    assert_eq!(store.feedback().unwrap().len(), taken + 1);
}
