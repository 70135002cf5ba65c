//! What the gateway's tests share: a gateway before mock servers, a plan of three clusters, a plain client.

#![allow(dead_code, reason = "every test binary uses another part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uno_learn::cluster::Centroids;
use uno_mock::MockServer;
use uno_models::remote::RemoteConfig;
use uno_serve::rollout::{Decided, Trial, Umpire};
use uno_serve::route::{PlanSource, Snapshot};
use uno_serve::{Adapters, Gateway, Parts, ServeOptions, Server};
use uno_store::live::{RequestRow, WriterOptions, open};
use uno_types::{AdapterRef, Embedder, ModelError, Path, Plan, PlanEntry};

/// Three topics by their first letter; questions with "fail" fail, with "slow" take long.
pub struct Topics;

impl Embedder for Topics {
    fn id(&self) -> String {
        "topics".into()
    }

    fn dimensions(&self) -> usize {
        4
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        texts.iter().map(|text| topic(text)).collect()
    }
}

fn topic(text: &str) -> Result<Vec<f32>, ModelError> {
    if text.contains("fail") {
        return Err(ModelError::Engine("no embedding for you".into()));
    }
    assert!(!text.contains("panic"), "the embedder panics");
    if text.contains("slow") {
        std::thread::sleep(Duration::from_millis(400));
    }
    let mut vector = vec![0.0; 4];
    let at = ["cook", "visit", "count"].iter().position(|t| text.starts_with(t)).unwrap_or(3);
    vector[at] = 1.0;
    Ok(vector)
}

/// The expert's and the critic's names.
pub const EXPERT: &str = "c00-expert-aaaaaaaaaaaa";
pub const CRITIC: &str = "c01-critic-bbbbbbbbbbbb";

/// Cook by the Expert, visit by the Critic, count by the base model.
pub fn snapshot(id: &str) -> Snapshot {
    let entry = |cluster, path, name: Option<&str>| PlanEntry {
        cluster,
        size: 10,
        path,
        adapter: name.map(|name| AdapterRef { name: name.into(), dir: format!("adapters/{name}") }),
        gap: None,
        win_rate: None,
        reason: String::new(),
    };
    let rows: Vec<Vec<f32>> = ["cook", "visit", "count"].iter().map(|t| topic(t).unwrap()).collect();
    Snapshot {
        id: id.into(),
        plan: Plan {
            max_distance: Some(0.5),
            clusters: vec![
                entry(0, Path::Expert, Some(EXPERT)),
                entry(1, Path::Critic, Some(CRITIC)),
                entry(2, Path::Base, None),
            ],
            ..Plan::default()
        },
        centroids: Centroids::from_labels(&rows, &[0, 1, 2]).unwrap(),
    }
}

/// Plans that a test changes.
#[derive(Default)]
pub struct TestPlans {
    pub now: Mutex<(u64, Option<Result<Snapshot, String>>)>,
    pub trial: Mutex<Option<Trial>>,
    pub audit: Mutex<Vec<Decided>>,
    pub umpire: Option<Arc<dyn Umpire>>,
}

impl TestPlans {
    pub fn set(&self, plan: Option<Result<Snapshot, String>>) {
        let mut now = self.now.lock().unwrap();
        *now = (now.0 + 1, plan);
    }
}

impl PlanSource for TestPlans {
    fn stamp(&self) -> String {
        self.now.lock().unwrap().0.to_string()
    }

    fn current(&self) -> Result<Option<Snapshot>, String> {
        self.now.lock().unwrap().1.clone().transpose()
    }

    fn kept(&self, id: &str) -> Result<Snapshot, String> {
        Ok(snapshot(id))
    }

    fn is_learned(&self, _: &str) -> bool {
        true
    }

    fn withdraw(&self, _: &str, to: &str, why: &str) -> Result<(), String> {
        assert!(why.contains("complaints"), "{why}");
        self.set(Some(Ok(snapshot(to))));
        Ok(())
    }

    fn keep_trial(&self, trial: Option<&Trial>) {
        *self.trial.lock().unwrap() = trial.cloned();
    }

    fn kept_trial(&self) -> Option<Trial> {
        self.trial.lock().unwrap().clone()
    }

    fn audit(&self, decided: &Decided) {
        self.audit.lock().unwrap().push(decided.clone());
    }

    fn umpire(&self) -> Option<Arc<dyn Umpire>> {
        self.umpire.clone()
    }
}

/// A running gateway.
pub struct Running {
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub gateway: Arc<Gateway>,
    pub plans: Arc<TestPlans>,
    pub client: Client,
    pub dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Before these servers, with the plan of [`snapshot`] if `routed`; `change` changes the settings.
    pub fn start(servers: &[&MockServer], routed: bool, change: impl FnOnce(&mut ServeOptions)) -> Self {
        let urls = servers.iter().map(|s| s.base_url()).collect();
        Self::start_at(urls, routed, change)
    }

    pub fn start_at(urls: Vec<String>, routed: bool, change: impl FnOnce(&mut ServeOptions)) -> Self {
        Self::start_with(urls, routed, None, change)
    }

    /// As `start_at`; with `adapters` the gateway loads them itself.
    pub fn start_with(
        urls: Vec<String>,
        routed: bool,
        adapters: Option<RemoteConfig>,
        change: impl FnOnce(&mut ServeOptions),
    ) -> Self {
        Self::judged(urls, routed, adapters, None, change)
    }

    /// As `start_with`, with somebody who compares answers.
    pub fn judged(
        urls: Vec<String>,
        routed: bool,
        adapters: Option<RemoteConfig>,
        umpire: Option<Arc<dyn Umpire>>,
        change: impl FnOnce(&mut ServeOptions),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options =
            ServeOptions { listen: "127.0.0.1:0".into(), drain_seconds: 5, ..ServeOptions::default() };
        options.log.store = "live.db".into();
        change(&mut options);
        let plans = Arc::new(TestPlans { umpire, ..TestPlans::default() });
        if routed {
            plans.set(Some(Ok(snapshot("plan-one"))));
        }
        let parts = Parts {
            log: WriterOptions {
                store: dir.path().join(&options.log.store).display().to_string(),
                spool_dir: dir.path().join("spool"),
                spool_bytes: 1 << 20,
                queue: options.log.queue,
                keep_days: 0,
            },
            options,
            base_model: "mock-model".into(),
            upstreams: urls,
            upstream_key: None,
            embedder: Some(Arc::new(Topics)),
            plans: plans.clone(),
            adapters: adapters.map_or(Adapters::Nobody, |config| Adapters::Servers(Box::new(config))),
        };
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let server = Server::bind(Gateway::new(parts).unwrap()).await.unwrap();
                let (address, admin) = (server.address().unwrap(), server.admin_address());
                tell.send((address, admin, Arc::clone(server.gateway()))).unwrap();
                let stopped = async move {
                    let _ = stopped.await;
                };
                server.run(stopped).await.unwrap();
            });
        });
        let (address, admin, gateway) = told.recv().unwrap();
        let running = Self {
            address,
            admin,
            gateway,
            plans,
            client: http(),
            dir,
            stop: Some(stop),
            thread: Some(thread),
        };
        wait(|| !routed || running.gateway.plans.current().is_some());
        running
    }

    /// The adapters of the plan are taken for loaded on every server.
    pub fn adapters_ready(&self) {
        for replica in self.gateway.replicas.iter() {
            replica.set_ready(EXPERT, true);
            replica.set_ready(CRITIC, true);
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.client.post(self.url(path)).json(body).send().await.unwrap()
    }

    /// One question to the model `uno`.
    pub async fn ask(&self, question: &str, stream: bool) -> Response {
        self.post("/v1/chat/completions", &chat("uno", question, stream)).await
    }

    /// Stops it, and gives what it logged.
    pub fn stop(mut self) -> Vec<RequestRow> {
        self.end();
        self.rows()
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// What is logged so far.
    pub fn rows(&self) -> Vec<RequestRow> {
        let mut rows = Vec::new();
        let mut store = open(&self.dir.path().join("live.db").display().to_string()).unwrap();
        store.requests(0, &mut |row| rows.push(row)).unwrap();
        rows
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// A client that goes nowhere else.
pub fn http() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

pub fn chat(model: &str, question: &str, stream: bool) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}], "stream": stream, "max_tokens": 16})
}

/// A header as text; empty when there is none.
pub fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or(String::new(), |v| v.to_str().unwrap().to_owned())
}

/// Waits for something that must come.
pub fn wait(mut until: impl FnMut() -> bool) {
    let started = Instant::now();
    while !until() {
        assert!(started.elapsed() < Duration::from_secs(20), "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Puts an adapter's files into `dir` and loads them into the server under `name`.
pub async fn load(server: &MockServer, dir: &std::path::Path, name: &str) {
    let files = dir.join(name);
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("adapter_model.safetensors"), name).unwrap();
    let body = json!({"lora_name": name, "lora_path": files});
    let client = http();
    let url = format!("{}/load_lora_adapter", server.base_url());
    assert!(client.post(url).json(&body).send().await.unwrap().status().is_success());
}
