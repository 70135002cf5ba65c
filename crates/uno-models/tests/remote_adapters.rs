//! Adapters at run time against the mock server: the rules of the adapters module, each with the fault it answers.

#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use support::{adapter, chat, config, generate, message, one, request, server, with_adapter, write_adapter};
use uno_mock::{AdapterFault, MockConfig, MockServer, logprob};
use uno_models::remote::RemoteChat;
use uno_models::{Fingerprint, FingerprintPrompt};
use uno_types::AdapterRef;

fn weights(adapter: &AdapterRef) -> String {
    let bytes = fs_err::read(format!("{}/adapter_model.safetensors", adapter.dir)).unwrap();
    blake3::hash(&bytes).to_hex().to_string()
}

/// What the trainer would have written, by the mock's arithmetic.
fn write_fingerprint(adapter: &AdapterRef, base: &str, off: f32) {
    let tokens: Vec<u32> = vec![5, 17, 2, 9];
    let words: Vec<String> = tokens.iter().map(u32::to_string).collect();
    let of = |who: &str| (1..words.len()).map(|i| logprob(who, &words[..=i]) + off).collect();
    let prompt = FingerprintPrompt { base: of(base), adapter: of(&weights(adapter)), tokens };
    Fingerprint { prompts: vec![prompt] }.write(adapter.dir.as_ref()).unwrap();
}

#[test]
fn adapters_answer_by_their_names_and_are_unloaded_when_done() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let (a, b) = (adapter(root.path(), "c01-expert-aa", 1.0), adapter(root.path(), "c02-critic-bb", 2.0));
    write_fingerprint(&a, "mock-model", 0.03);
    let model = chat(&server);
    let results =
        generate(&model, &[request("q"), with_adapter("q", &a), with_adapter("q", &b), request("q")]);
    let texts: Vec<String> = results.into_iter().map(|r| r.unwrap().text).collect();
    assert_eq!(texts[0], texts[3]);
    assert!(texts[0] != texts[1] && texts[1] != texts[2] && texts[0] != texts[2], "{texts:?}");
    assert_eq!(server.adapters(), ["c01-expert-aa", "c02-critic-bb"]);
    assert!(server.seen().iter().all(|s| s.body.get("load_inplace").is_none()));
    drop(model);
    assert!(server.adapters().is_empty());
}

#[test]
fn adapters_can_be_loaded_ahead_one_after_the_other() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let model = chat(&server);
    for name in ["a", "b", "a"] {
        model.adapters().ensure_loaded(&adapter(root.path(), name, f32::from(name.as_bytes()[0]))).unwrap();
    }
    assert_eq!(model.adapters().loaded(), ["a", "b"]);
    assert_eq!(server.count("/load_lora_adapter"), 2);
}

#[test]
fn more_adapters_than_slots_take_turns_and_never_load_under_requests() {
    let config_ = MockConfig { max_loras: 2, latency_ms: 5, ..MockConfig::default() };
    let (server, root) = (MockServer::start(config_).unwrap(), tempfile::tempdir().unwrap());
    let adapters: Vec<AdapterRef> =
        (0..5).map(|i| adapter(root.path(), &format!("a{i}"), i as f32)).collect();
    let requests: Vec<_> = (0..40).map(|i| with_adapter(&format!("q{}", i / 5), &adapters[i % 5])).collect();
    let mut two = config(&server);
    two.max_loras = 2;
    let results = std::thread::scope(|scope| {
        // Two users of one server share its slots.
        let run = || generate(&RemoteChat::new(two.clone()).unwrap(), &requests);
        let (one, other) = (scope.spawn(run), scope.spawn(run));
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert!(results.iter().flatten().all(Result::is_ok), "{results:?}");
    assert_eq!(results[0], results[1]);
    assert_eq!(server.loaded_while_busy(), 0);
}

#[test]
fn each_fault_of_a_server_is_told_apart() {
    let cases = [
        (AdapterFault::LoadNotListed, "/models does not list it; see the server's log"),
        (AdapterFault::ServesBase, "it answers exactly like the base model"),
    ];
    for (fault, expected) in cases {
        let (server, root) = (server(), tempfile::tempdir().unwrap());
        let a = adapter(root.path(), "a", 1.0);
        let model = chat(&server);
        server.adapter_fault(Some(fault));
        let results = generate(&model, &[with_adapter("q", &a), request("q")]);
        let text = results[0].as_ref().unwrap_err().to_string();
        assert!(text.starts_with("adapter a: ") && text.contains(expected), "{text}");
        assert!(results[1].is_ok(), "base requests are not affected");
        assert!(server.adapters().is_empty(), "nothing is left behind");
    }
}

#[test]
fn the_fingerprint_finds_other_weights_and_another_base() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let (a, b) = (adapter(root.path(), "a", 1.0), adapter(root.path(), "b", 2.0));
    let model = chat(&server);
    assert!(one(&model, with_adapter("q", &a)).is_ok());
    write_fingerprint(&b, "mock-model", 0.0);
    server.adapter_fault(Some(AdapterFault::ServesOther));
    let text = message(one(&model, with_adapter("q", &b)));
    assert!(text.contains("other weights answer under its name: log-probs differ by"), "{text}");
    server.adapter_fault(None);
    write_fingerprint(&b, "another-base", 0.0);
    let text = message(one(&model, with_adapter("q", &b)));
    assert!(text.contains("not the one the adapter was trained on"), "{text}");
    write_fingerprint(&b, "mock-model", 0.0);
    assert!(one(&model, with_adapter("q", &b)).is_ok());
}

#[test]
fn a_name_is_never_used_for_other_weights() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let a = adapter(root.path(), "a", 1.0);
    let model = chat(&server);
    assert!(one(&model, with_adapter("q", &a)).is_ok());
    model.adapters().unload("a").unwrap();
    adapter(root.path(), "a", 5.0);
    let text = message(one(&model, with_adapter("q", &a)));
    assert!(text.contains("give the new weights a new name"), "{text}");
}

#[test]
fn a_restarted_server_gets_its_adapters_again() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let a = adapter(root.path(), "a", 1.0);
    let model = chat(&server);
    let before = one(&model, with_adapter("q", &a)).unwrap();
    server.forget_adapters();
    assert_eq!(one(&model, with_adapter("q", &a)).unwrap(), before);
    assert_eq!(server.count("/load_lora_adapter"), 2);
}

#[test]
fn an_adapter_left_over_from_a_killed_run_is_taken_over() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let a = adapter(root.path(), "a", 1.0);
    let first = chat(&server);
    assert!(one(&first, with_adapter("q", &a)).is_ok());
    std::mem::forget(first);
    // Another URL of the same server stands for another process.
    let mut again = config(&server);
    again.base_url = server.base_url().replace("127.0.0.1", "localhost");
    assert!(one(&RemoteChat::new(again).unwrap(), with_adapter("q", &a)).is_ok());
    assert_eq!(server.count("/load_lora_adapter"), 1);
}

#[test]
fn a_full_server_says_so() {
    let config_ = MockConfig { max_loras: 1, ..MockConfig::default() };
    let (server, root) = (MockServer::start(config_).unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (adapter(root.path(), "a", 1.0), adapter(root.path(), "b", 2.0));
    let results = generate(&chat(&server), &[with_adapter("q", &a), with_adapter("q", &b)]);
    assert!(results[0].is_ok());
    let text = results[1].as_ref().unwrap_err().to_string();
    assert!(text.contains("no free slot") && text.contains("--max-loras"), "{text}");
}

#[test]
fn bad_files_never_reach_the_server() {
    let (server, root) = (server(), tempfile::tempdir().unwrap());
    let model = chat(&server);
    let a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let b = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
    let numbers = |x: f32| -> Vec<u8> { std::iter::repeat_n(x.to_le_bytes(), 8).flatten().collect() };
    let cases = [
        ("half", vec![(a, vec![2, 4], numbers(1.0))], "has no lora_B weight"),
        ("rank", vec![(a, vec![4, 2], numbers(1.0)), (b, vec![4, 2], numbers(1.0))], "does not fit rank 2"),
        ("nan", vec![(a, vec![2, 4], numbers(f32::NAN)), (b, vec![4, 2], numbers(1.0))], "holds NaN"),
        ("prefix", vec![(&a[17..], vec![2, 4], numbers(1.0))], "does not begin with base_model.model."),
        (
            "stray",
            vec![("base_model.model.embed", vec![2, 4], numbers(1.0))],
            "neither a lora_A nor a lora_B",
        ),
        ("empty", vec![], "no LoRA weights"),
    ];
    for (name, tensors, expected) in cases {
        let bad = write_adapter(root.path(), name, &tensors);
        let text = message(one(&model, with_adapter("q", &bad)));
        assert!(text.contains(expected) && text.contains("adapter_model.safetensors"), "{name}: {text}");
    }
    let cut = adapter(root.path(), "cut", 1.0);
    let path = format!("{}/adapter_model.safetensors", cut.dir);
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(message(one(&model, with_adapter("q", &cut))).contains("the file is damaged"));
    let gone = AdapterRef { name: "gone".into(), dir: root.path().join("nowhere").display().to_string() };
    assert!(message(one(&model, with_adapter("q", &gone))).contains("restore the directory"));
    assert_eq!(server.count("/load_lora_adapter"), 0);
}
