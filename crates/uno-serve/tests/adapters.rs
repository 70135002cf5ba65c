//! Adapters on servers: loaded, probed, routed; drained, unloaded; and back again after a restart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use support::{CRITIC, EXPERT, Running, header, snapshot, wait};
use uno_mock::{AdapterFault, MockConfig, MockServer, chat_answer};
use uno_models::remote::RemoteConfig;
use uno_serve::route::Snapshot;

fn server(max_loras: usize) -> MockServer {
    MockServer::start(MockConfig { max_loras, ..MockConfig::default() }).unwrap()
}

fn config(max_loras: usize) -> Option<RemoteConfig> {
    let mut config = RemoteConfig::new("", "mock-model");
    config.max_loras = max_loras;
    config.retries = 0;
    Some(config)
}

/// An adapter's files; `seed` makes other weights.
fn write(dir: &Path, seed: u8) {
    std::fs::create_dir_all(dir).unwrap();
    let config = r#"{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"]}"#;
    std::fs::write(dir.join("adapter_config.json"), config).unwrap();
    let bytes: Vec<u8> = (0..8).flat_map(|i| (f32::from(seed) + i as f32).to_le_bytes()).collect();
    let view = |shape: Vec<usize>| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap()
    };
    let prefix = "base_model.model.model.layers.0.self_attn.q_proj";
    let tensors = BTreeMap::from([
        (format!("{prefix}.lora_A.weight"), view(vec![2, 4])),
        (format!("{prefix}.lora_B.weight"), view(vec![4, 2])),
    ]);
    std::fs::write(dir.join("adapter_model.safetensors"), safetensors::serialize(tensors, None).unwrap())
        .unwrap();
}

/// The plan of [`snapshot`] with its adapters' files below `root`, `names` in their place.
fn plan(id: &str, root: &Path, names: [&str; 2]) -> Snapshot {
    let mut snapshot = snapshot(id);
    for (entry, name) in snapshot.plan.clusters.iter_mut().zip(names) {
        let adapter = entry.adapter.as_mut().unwrap();
        adapter.name = name.to_owned();
        adapter.dir = root.join(name).display().to_string();
    }
    snapshot
}

fn start(servers: &[&MockServer], slots: usize) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join(EXPERT), 1);
    write(&dir.path().join(CRITIC), 2);
    let urls = servers.iter().map(|s| s.base_url()).collect();
    let gateway = Running::start_with(urls, false, config(slots), |_| {});
    gateway.plans.set(Some(Ok(plan("plan-one", dir.path(), [EXPERT, CRITIC]))));
    (gateway, dir)
}

fn ready(gateway: &Running, name: &str) -> usize {
    gateway.gateway.replicas.iter().filter(|r| r.is_ready(name)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_gets_its_adapters_and_again_after_a_restart() {
    let (one, two) = (server(4), server(4));
    let (gateway, _dir) = start(&[&one, &two], 4);
    wait(|| ready(&gateway, EXPERT) == 2 && ready(&gateway, CRITIC) == 2);
    assert_eq!(
        (one.adapters(), two.adapters()),
        (vec![EXPERT.into(), CRITIC.into()], vec![EXPERT.into(), CRITIC.into()])
    );
    for _ in 0..4 {
        assert_eq!(header(&gateway.ask("cook rice", false).await, "x-uno-adapter"), EXPERT);
    }
    // One server restarts: it gets them back; meanwhile answers come from the other one, or from the base model.
    two.forget_adapters();
    for i in 0..40 {
        let response = gateway.ask("cook rice", false).await;
        assert_eq!(response.status(), 200, "{i}");
        let path = header(&response, "x-uno-path");
        assert!(path == "expert" || path == "base", "{path}");
    }
    wait(|| two.adapters().len() == 2 && ready(&gateway, EXPERT) == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_its_probe_or_its_files_is_never_routed_to() {
    for fault in [AdapterFault::ServesBase, AdapterFault::LoadNotListed] {
        let server = server(4);
        server.adapter_fault(Some(fault));
        let (gateway, _dir) = start(&[&server], 4);
        let errors = || gateway.gateway.metrics.adapter_errors.load(std::sync::atomic::Ordering::Relaxed);
        wait(|| errors() >= 2);
        let response = gateway.ask("cook rice", false).await;
        assert_eq!(
            (header(&response, "x-uno-path"), header(&response, "x-uno-reason")),
            ("base".into(), "not_ready".into()),
            "{fault:?}"
        );
    }
    let server = server(4);
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join(CRITIC), 2);
    let gateway = Running::start_with(vec![server.base_url()], false, config(4), |_| {});
    gateway.plans.set(Some(Ok(plan("plan-one", dir.path(), [EXPERT, CRITIC]))));
    wait(|| ready(&gateway, CRITIC) == 1);
    let loads = server.seen().into_iter().filter(|s| s.path.ends_with("/load_lora_adapter"));
    assert!(loads.into_iter().all(|s| s.body["lora_name"] == CRITIC), "no files, no request");
    assert_eq!(header(&gateway.ask("cook rice", false).await, "x-uno-reason"), "not_ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_change_under_load_without_a_wrong_answer() {
    // Three slots: the next plan's one new adapter fits beside the two in use, the one after that needs a slot freed.
    let server =
        MockServer::start(MockConfig { max_loras: 3, latency_ms: 2, ..MockConfig::default() }).unwrap();
    let (gateway, dir) = start(&[&server], 3);
    wait(|| ready(&gateway, EXPERT) == 1 && ready(&gateway, CRITIC) == 1);
    let names = ["c00-expert-aaaaaaaaaaaa", "c00-expert-cccccccccccc", "c00-expert-dddddddddddd"];
    for (seed, name) in names.iter().enumerate().skip(1) {
        write(&dir.path().join(name), 10 + seed as u8);
    }
    let weights: BTreeMap<String, String> = names
        .iter()
        .chain([&CRITIC])
        .map(|name| {
            let bytes = std::fs::read(dir.path().join(name).join("adapter_model.safetensors")).unwrap();
            ((*name).to_owned(), blake3::hash(&bytes).to_hex().to_string())
        })
        .collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut routed, mut base) = (0, 0);
    let ask = async {
        let mut n = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) || n < 1000 {
            // Every other question is one for the base model.
            let questions = ["cook rice", "sing a song"].into_iter().cycle().take(8);
            let answers = questions.clone().map(|question| gateway.ask(question, false));
            for (question, response) in questions.clone().zip(futures::future::join_all(answers).await) {
                n += 1;
                assert_eq!(response.status(), 200);
                let adapter = header(&response, "x-uno-adapter");
                let body: Value = response.json().await.unwrap();
                let prompt = format!(r#"[{{"role":"user","content":"{question}"}}]"#);
                assert!(adapter.is_empty() || question == "cook rice");
                let by = if adapter.is_empty() { "mock-model" } else { &weights[&adapter] };
                // The mock's answer tells whose weights gave it.
                let prompt: Value = serde_json::from_str(&prompt).unwrap();
                assert_eq!(
                    body["choices"][0]["message"]["content"],
                    chat_answer(by, &prompt.to_string(), 0),
                    "{adapter}"
                );
                if adapter.is_empty() { base += 1 } else { routed += 1 }
            }
        }
    };
    let change = async {
        for (i, name) in names.iter().enumerate().skip(1) {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            gateway.plans.set(Some(Ok(plan(&format!("plan-{i}"), dir.path(), [name, CRITIC]))));
            for _ in 0..400 {
                let now = gateway.gateway.plans.current().map(|p| p.id.to_string());
                if now == Some(format!("plan-{i}")) && ready(&gateway, name) == 1 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            }
            assert_eq!(ready(&gateway, name), 1, "{name}");
            assert!(server.adapters().len() <= 3);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    futures::join!(ask, change);
    assert!(routed > 400 && base > 400, "{routed} routed, {base} by the base model");
    assert_eq!(server.loaded_while_busy(), 0, "an adapter was loaded while the server answered");
    assert!(!server.adapters().contains(&EXPERT.to_owned()), "its slot was needed");
    let last = server.seen();
    let unloaded = last.iter().rposition(|s| s.path.ends_with("/unload_lora_adapter")).unwrap();
    assert!(last[unloaded..].iter().all(|s| s.body["model"] != EXPERT), "asked for after it was unloaded");
}
