//! One server: JSON in, JSON out, with retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::config::{ApiKey, RemoteConfig};
use super::error::{RemoteError, excerpt};
use super::{retry, runtime};

/// How long the server may take to list its models before it counts as gone.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    client: Client,
    /// Ends in `/v1`.
    base: String,
    api_key: Option<ApiKey>,
    timeout: Duration,
    retries: u32,
    backoff: Duration,
    permits: Semaphore,
    /// Answers of any status so far: tells a dead server from a deadly request.
    answers: AtomicU64,
}

/// One attempt that gave nothing.
enum Failure {
    /// May pass.
    Passing { error: RemoteError, retry_after: Option<Duration> },
    /// The connection broke or could not be made.
    Transport { cause: String, timed_out: bool },
    /// Will not pass.
    Final(RemoteError),
}

impl Server {
    pub(crate) fn new(config: &RemoteConfig) -> Result<Arc<Self>, RemoteError> {
        runtime::prepare()?;
        let base = base_url(&config.base_url)?;
        let client = Client::builder()
            .connect_timeout(config.connect_timeout)
            .user_agent(concat!("uno/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| RemoteError::Config(format!("cannot make an HTTP client: {}", causes(&e))))?;
        Ok(Arc::new(Self {
            client,
            base,
            api_key: config.api_key.clone(),
            timeout: config.timeout,
            retries: config.retries,
            backoff: config.backoff,
            permits: Semaphore::new(config.concurrency.max(1)),
            answers: AtomicU64::new(0),
        }))
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        parse(&self.url(path), &self.send(Method::GET, path, None).await?)
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, RemoteError> {
        parse(&self.url(path), &self.send(Method::POST, path, Some(body)).await?)
    }

    /// The server's metrics in Prometheus' text form, which lie beside `/v1`.
    pub(crate) async fn metrics(&self) -> Result<String, RemoteError> {
        let url = format!("{}/metrics", self.base.strip_suffix("/v1").unwrap_or(&self.base));
        match self.attempt(Method::GET, &url, None, 1).await {
            Ok(text) => Ok(text),
            Err(Failure::Final(error) | Failure::Passing { error, .. }) => Err(error),
            Err(Failure::Transport { cause, .. }) => Err(RemoteError::Connection { url, cause, attempts: 1 }),
        }
    }

    /// Like [`post`](Self::post) for endpoints that answer in plain text.
    pub(crate) async fn post_text(&self, path: &str, body: &Value) -> Result<String, RemoteError> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String, RemoteError> {
        let url = self.url(path);
        let answers_before = self.answers.load(Ordering::Relaxed);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let last = attempts > self.retries;
            let mut asked_for = None;
            match self.attempt(method.clone(), &url, body, attempts).await {
                Ok(text) => return Ok(text),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { error, .. }) if last => return Err(error),
                Err(Failure::Passing { retry_after, error }) => {
                    if retry_after.is_some_and(|wait| wait > retry::LONGEST_RETRY_AFTER) {
                        return Err(error);
                    }
                    tracing::debug!(url, attempts, %error, "trying again");
                    asked_for = retry_after;
                }
                Err(Failure::Transport { cause, timed_out }) => {
                    // A time-out is expensive, so look at once whether anybody is there; cheap failures get their retries.
                    let silent = self.answers.load(Ordering::Relaxed) == answers_before;
                    if (last || timed_out) && silent && !self.is_alive().await {
                        return Err(RemoteError::Gone { url, cause, attempts });
                    }
                    if last || (timed_out && attempts > 1) {
                        return Err(RemoteError::Connection { url, cause, attempts });
                    }
                    tracing::debug!(url, attempts, cause, "trying again");
                }
            }
            tokio::time::sleep(retry::pause(self.backoff, attempts, asked_for, rand::random())).await;
        }
    }

    async fn attempt(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        attempts: u32,
    ) -> Result<String, Failure> {
        // The semaphore is never closed; should it be, going on without a permit is harmless.
        let _permit = self.permits.acquire().await.ok();
        let mut request = self.request(method, url).timeout(self.timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        let transport = |e: reqwest::Error| {
            let timed_out = e.is_timeout() && !e.is_connect();
            let cause = if timed_out {
                format!("no answer within {} s", self.timeout.as_secs_f32())
            } else {
                causes(&e)
            };
            Failure::Transport { cause, timed_out }
        };
        let response = request.send().await.map_err(transport)?;
        let status = response.status();
        let wait = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| retry::retry_after(v, SystemTime::now()));
        let text = response.text().await.map_err(transport)?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        if status.is_success() {
            return Ok(text);
        }
        let error = RemoteError::Status {
            url: url.to_owned(),
            status: status.as_u16(),
            message: message(status, &text),
            attempts,
        };
        if retry::is_passing(status.as_u16()) {
            Err(Failure::Passing { error, retry_after: wait })
        } else {
            Err(Failure::Final(error))
        }
    }

    /// Whether the server answers anything at all.
    async fn is_alive(&self) -> bool {
        let answer = self.request(Method::GET, &self.url("/models")).timeout(ALIVE_WITHIN).send().await;
        answer.is_ok()
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.api_key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }
}

/// `http://host:8000`, `…/`, `…/v1` and `…/v1/` all mean the same.
fn base_url(given: &str) -> Result<String, RemoteError> {
    let trimmed = given.trim().trim_end_matches('/');
    let parsed = reqwest::Url::parse(trimmed).map_err(|e| {
        RemoteError::Config(format!(
            "base_url {given:?} is not a URL ({e}); write it like http://127.0.0.1:8000/v1"
        ))
    })?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(RemoteError::Config(format!("base_url {given:?} must begin with http:// or https://")));
    }
    Ok(if trimmed.ends_with("/v1") { trimmed.to_owned() } else { format!("{trimmed}/v1") })
}

fn parse<T: DeserializeOwned>(url: &str, text: &str) -> Result<T, RemoteError> {
    serde_json::from_str(text).map_err(|e| RemoteError::Garbage {
        url: url.to_owned(),
        cause: if text.is_empty() { "empty body".into() } else { e.to_string() },
        excerpt: excerpt(text),
    })
}

/// The server's own explanation: `error.message`, `message`, `detail`, or the body.
fn message(status: StatusCode, body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let text = parsed.as_ref().and_then(|v| {
        [&v["error"]["message"], &v["message"], &v["error"], &v["detail"]].into_iter().find_map(Value::as_str)
    });
    match text.unwrap_or(body).trim() {
        "" => status.canonical_reason().unwrap_or("no explanation").to_owned(),
        text => excerpt(text),
    }
}

/// An error with what lies under it: reqwest alone says only "error sending request".
pub(crate) fn causes(error: &reqwest::Error) -> String {
    // The URL may carry secrets in its query or user part and is named elsewhere anyway.
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let what = if error.is_connect() { "cannot connect" } else { "the connection broke" };
    format!("{what} ({innermost})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_forgiving_but_not_wrong() {
        for url in ["http://h:1", "http://h:1/", "http://h:1/v1", " http://h:1/v1/ "] {
            assert_eq!(base_url(url).unwrap(), "http://h:1/v1");
        }
        assert_eq!(base_url("https://h/openai/v1").unwrap(), "https://h/openai/v1");
        for url in ["localhost:8000", "ftp://h", ""] {
            assert!(base_url(url).unwrap_err().to_string().contains("base_url"));
        }
    }

    #[test]
    fn the_servers_words_are_found() {
        let ask = |body: &str| message(StatusCode::BAD_REQUEST, body);
        assert_eq!(ask(r#"{"error": {"message": "too long"}}"#), "too long");
        assert_eq!(ask(r#"{"object": "error", "message": "old vLLM"}"#), "old vLLM");
        assert_eq!(ask("plain"), "plain");
        assert_eq!(ask(""), "Bad Request");
    }
}
