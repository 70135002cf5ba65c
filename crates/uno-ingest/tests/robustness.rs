//! Random bytes and mutated samples never panic, and whatever comes out is clean and unique.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use uno_ingest::scrub::{find, scrub};
use uno_ingest::{Ingest, IngestOptions};

const SAMPLES: [&str; 8] = [
    include_str!("fixtures/openai.jsonl"),
    include_str!("fixtures/openai_preference.jsonl"),
    include_str!("fixtures/sharegpt.json"),
    include_str!("fixtures/hh.jsonl"),
    include_str!("fixtures/wildchat.jsonl"),
    include_str!("fixtures/realhumaneval.jsonl"),
    include_str!("fixtures/trl.jsonl"),
    include_str!("fixtures/uno.jsonl"),
];

fn read(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.jsonl");
    std::fs::write(&path, bytes).unwrap();
    let mut records = Vec::new();
    let options = IngestOptions { max_bad: 1.0, max_line_bytes: 4096, ..IngestOptions::default() };
    let result = Ingest::new(options).read(&[path], &mut |r| records.push(r));
    let ids: HashSet<&str> = records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), records.len());
    for record in &records {
        assert!(!record.query().trim().is_empty());
        assert!(record.messages.iter().all(|m| find(&m.content).is_empty()));
        assert!(find(&record.id).is_empty());
    }
    match result {
        Ok(summary) => {
            assert_eq!(summary.read, summary.kept + summary.bad + summary.no_query + summary.duplicates)
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Text in which personal data is likely: pieces of it, whole ones, and glue.
fn personal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,17}",
        "[ .,:;()+@/<>_-]{1,2}",
        "[a-zA-Z]{1,6}",
        Just("a.b@c.example.org".to_owned()),
        Just("4111 1111 1111 1111".to_owned()),
        Just("DE89 3704 0044 0532 0130 00".to_owned()),
        Just("192.168.7.23".to_owned()),
        Just("+49 171 2345678".to_owned()),
        Just("sk-abcdefghijklmnop1234".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_detector_finds_anything_after_scrubbing(text in personal()) {
        let clean = scrub(&text, &mut BTreeMap::new()).into_owned();
        prop_assert!(find(&clean).is_empty(), "{text:?} became {clean:?}");
        prop_assert_eq!(&scrub(&clean, &mut BTreeMap::new()), &clean);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn any_json_like_bytes(text in "[\\[\\]{},:\"a-c0-9\n\\\\ ]{0,200}") {
        read(text.as_bytes());
    }

    #[test]
    fn mutated_samples(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..6),
        cut in any::<prop::sample::Index>(),
        data in personal(),
    ) {
        let mut bytes = SAMPLES[sample].replace("Hello", &data.replace(['"', '\\'], "")).into_bytes();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        read(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read(&bytes);
    }
}

#[test]
fn what_is_found_and_what_is_not() {
    for (text, clean) in [
        ("Write to jane.doe+x@mail.example.co.uk, please", "Write to <EMAIL>, please"),
        ("Call +49 171 2345678 or (555) 123-4567.", "Call <PHONE> or <PHONE>."),
        ("My number is 555-123-4567", "My number is <PHONE>"),
        ("手机13812345678。", "手机<PHONE>。"),
        ("card 4111 1111 1111 1111, amex 378282246310005", "card <CARD>, amex <CARD>"),
        ("Pay to DE89 3704 0044 0532 0130 00 TODAY", "Pay to <IBAN> TODAY"),
        ("ssh root@10.1.2.3:22 from 81.2.69.142", "ssh root@<IP>:22 from <IP>"),
        ("export KEY=sk-proj-abcDEF1234567890abcd", "export KEY=<KEY>"),
        ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "token <KEY>"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nok", "<KEY>\nok"),
    ] {
        assert_eq!(scrub(text, &mut BTreeMap::new()), clean);
    }
    for text in [
        "127.0.0.1 and 0.0.0.0",
        "On 2024-01-15 at 10:30 we sold 1234567 units for 12,345,678.90 euros",
        "4111 1111 1111 1112",
        "version 1.2.3 of 2024.10.3",
        "x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]",
        "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6",
        "@property and a @ b, user@host",
        "pi is 3.14159265358979",
        "task-skills-and-more-skills",
        "0000000000000000",
        "id 12345678-1234-1234-1234-123456789012",
    ] {
        assert_eq!(scrub(text, &mut BTreeMap::new()), text);
    }
}
