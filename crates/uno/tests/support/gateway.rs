//! `uno serve` as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use super::Bench;

/// A gateway as a process. Killed when dropped.
pub struct Gateway {
    pub child: Child,
    pub told: Value,
    pub client: Client,
}

impl Gateway {
    /// On the directory `run` of the bench.
    pub fn start(bench: &Bench, more: &[&str]) -> Self {
        let words = ["serve", "--run", "run", "--listen", "127.0.0.1:0", "--json"];
        Self::of(bench.command(&[&words, more].concat()))
    }

    /// What this command starts.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut document = String::new();
        let told = loop {
            assert!(lines.read_line(&mut document).unwrap() > 0, "it ended: {document}");
            if let Ok(told) = serde_json::from_str(&document) {
                break told;
            }
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { child, told, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.told["listening"].as_str().unwrap())
    }

    pub async fn ask(&self, question: &str) -> reqwest::Response {
        let body =
            json!({"model": "uno", "messages": [{"role": "user", "content": question}], "max_tokens": 16});
        self.client.post(self.url("/v1/chat/completions")).json(&body).send().await.unwrap()
    }

    /// Gives feedback; the status.
    pub async fn feedback(&self, body: &Value) -> u16 {
        self.client.post(self.url("/v1/feedback")).json(body).send().await.unwrap().status().as_u16()
    }

    /// A counter of the admin plane, which must be on.
    pub async fn counted(&self, name: &str) -> u64 {
        let url = format!("http://{}/metrics", self.told["admin"].as_str().unwrap());
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        line.trim().parse().unwrap()
    }

    /// Waits until a counter is at least `least`.
    pub async fn until_counted(&self, name: &str, least: u64) {
        let started = Instant::now();
        while self.counted(name).await < least {
            assert!(started.elapsed() < Duration::from_secs(30), "{name} never was {least}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).map_or(String::new(), |v| v.to_str().unwrap().to_owned())
}
