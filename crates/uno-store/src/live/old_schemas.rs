//! Databases that an older version made: their rows stay, and new ones can be written.

use postgres::NoTls;

use super::schema::MIGRATIONS;
use super::{Entry, LogStore, RequestRow, open};

/// A row as the first version wrote it.
const OLD_ROW: &str = "INSERT INTO requests VALUES ('old', 5, '', '', 'c', '', 'p', 'a', 'expert', 'plan', 2, 'x', 'p1', 'plan', \
    'm', 200, 'ok', TRUE, NULL, 7, 1, 2, 3, 4, '[{\"role\":\"user\",\"content\":\"how?\"}]', 'so')";

fn is_brought_up_to_date(mut store: Box<dyn LogStore>, version: usize) {
    let new = RequestRow { id: "new".into(), time: 6, stratum: Some(1), ..RequestRow::default() };
    store.append(&[Entry::Request(Box::new(new.clone()))]).unwrap();
    let mut rows = Vec::new();
    store.requests(0, &mut |row| rows.push(row)).unwrap();
    assert_eq!(rows.len(), 2, "version {version}");
    let old = &rows[0];
    let turns: Vec<&str> = old.messages.iter().map(|m| m.content.as_str()).collect();
    assert_eq!((old.id.as_str(), old.answer.as_str(), &turns[..]), ("old", "so", &["how?"][..]));
    assert_eq!((old.cluster, old.stratum, old.completion_tokens), (Some(2), None, Some(7)));
    assert_eq!(rows[1], new);
    assert_eq!(store.counts(0).unwrap().len(), 2);
}

#[test]
fn older_sqlite_files_are_brought_up_to_date() {
    for version in 1..MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.db");
        let file = rusqlite::Connection::open(&path).unwrap();
        MIGRATIONS[..version].iter().flat_map(|m| m.iter()).for_each(|sql| file.execute_batch(sql).unwrap());
        file.execute_batch(OLD_ROW).unwrap();
        file.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
        drop(file);
        is_brought_up_to_date(open(&path.display().to_string()).unwrap(), version);
        // And once more: nothing is left to be done.
        open(&path.display().to_string()).unwrap();
    }
}

#[test]
fn older_postgres_databases_are_brought_up_to_date() {
    let Ok(url) = std::env::var("UNO_TEST_POSTGRES") else {
        eprintln!("skipped: crates/uno-store/tests/postgres.sh starts a server and sets UNO_TEST_POSTGRES");
        return;
    };
    for version in 1..MIGRATIONS.len() {
        let name = format!("older_{version}");
        let mut server = postgres::Client::connect(&url, NoTls).unwrap();
        server.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let (place, _) = url.rsplit_once('/').unwrap();
        let url = format!("{place}/{name}");
        let mut old = postgres::Client::connect(&url, NoTls).unwrap();
        MIGRATIONS[..version].iter().flat_map(|m| m.iter()).for_each(|sql| old.batch_execute(sql).unwrap());
        old.batch_execute(OLD_ROW).unwrap();
        old.batch_execute("CREATE TABLE uno_schema (version BIGINT NOT NULL)").unwrap();
        old.batch_execute(&format!("INSERT INTO uno_schema (version) VALUES ({version})")).unwrap();
        drop(old);
        is_brought_up_to_date(open(&url).unwrap(), version);
        open(&url).unwrap();
    }
}
