//! Sends spans to the collector, in batches, beside everything else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::TraceOptions;
use crate::ServeError;
use crate::http::read;
use crate::options::LimitOptions;
use crate::upstream::{Address, Client, Replica};

/// Most spans in a request to the collector.
const BATCH: usize = 512;
/// Longest time that a span waits for others.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest time that the collector may take.
const PATIENCE: u64 = 10;

/// What became of spans.
#[derive(Debug, Default)]
pub struct TraceStats {
    /// Taken by the collector.
    pub sent: AtomicU64,
    /// Lost: the queue was full, or the collector did not take them.
    pub dropped: AtomicU64,
}

enum Item {
    Span(Box<Value>),
    /// Everything before this is to be sent now.
    Flush(oneshot::Sender<()>),
}

/// The way to the collector.
pub struct Exporter {
    /// What became of spans.
    pub stats: TraceStats,
    /// Share of new traces that are sent.
    pub sample: f64,
    service: String,
    queue: mpsc::Sender<Item>,
    items: Mutex<Option<mpsc::Receiver<Item>>>,
    collector: Arc<Replica>,
    client: Client,
    headers: HeaderMap,
}

impl Exporter {
    /// `None` where traces are off. Nothing is sent before [`Self::run`].
    ///
    /// # Errors
    /// A wrong address, or headers that are none.
    pub fn new(options: &TraceOptions) -> Result<Option<Self>, ServeError> {
        if options.endpoint.is_empty() {
            return Ok(None);
        }
        let wrong = |what: String| ServeError::Settings(format!("serve.traces: {what}"));
        // OTLP's path is /v1/traces below the base address.
        let endpoint = options.endpoint.trim_end_matches('/').trim_end_matches("/v1/traces");
        let collector = Arc::new(Replica::new(Address::parse(endpoint).map_err(wrong)?));
        let mut headers = match options.headers_env.as_str() {
            "" => HeaderMap::new(),
            name => headers_of(
                &std::env::var(name)
                    .map_err(|_| wrong(format!("the collector's headers should be in ${name}: set it")))?,
            )
            .map_err(wrong)?,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let limits =
            LimitOptions { connect_seconds: 5, first_byte_seconds: PATIENCE, ..LimitOptions::default() };
        let (queue, items) = mpsc::channel(options.queue.max(1));
        Ok(Some(Self {
            stats: TraceStats::default(),
            sample: options.sample,
            service: options.service.clone(),
            queue,
            items: Mutex::new(Some(items)),
            collector,
            client: Client::new(&limits, None)?,
            headers,
        }))
    }

    /// Puts spans into the queue; what finds no place is dropped. Never waits.
    pub fn add(&self, spans: impl IntoIterator<Item = Value>) {
        for span in spans {
            if self.queue.try_send(Item::Span(Box::new(span))).is_err() {
                self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends what comes, until the gateway ends.
    pub async fn run(&self) {
        let taken = self.items.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut items) = taken else { return };
        while let Some(first) = items.recv().await {
            let (mut spans, mut flushed) = (Vec::new(), Vec::new());
            take(first, &mut spans, &mut flushed);
            let deadline = tokio::time::Instant::now() + PAUSE;
            while spans.len() < BATCH && flushed.is_empty() {
                match tokio::time::timeout_at(deadline, items.recv()).await {
                    Ok(Some(item)) => take(item, &mut spans, &mut flushed),
                    Ok(None) | Err(_) => break,
                }
            }
            self.send(spans).await;
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    /// Waits until what is in the queue was sent, a little while at most.
    pub async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        let flush = async {
            if self.queue.send(Item::Flush(done)).await.is_ok() {
                let _ = waiting.await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(3), flush).await;
    }

    async fn send(&self, spans: Vec<Value>) {
        if spans.is_empty() {
            return;
        }
        let n = spans.len() as u64;
        let service = json!([{"key": "service.name", "value": {"stringValue": self.service}}]);
        let scope = json!({"name": "uno-serve", "version": env!("CARGO_PKG_VERSION")});
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": service},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }]});
        match self.post(Bytes::from(body.to_string())).await {
            Ok(()) => self.stats.sent.fetch_add(n, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!("{n} spans are lost: {error}");
                self.stats.dropped.fetch_add(n, Ordering::Relaxed)
            }
        };
    }

    async fn post(&self, body: Bytes) -> Result<(), String> {
        let sent = self.client.send(&self.collector, Method::POST, "/traces", &self.headers, body);
        let reply = sent.await.map_err(|e| e.to_string())?;
        let status = reply.status();
        // Read to its end, so that the connection can be used again.
        let rest = read::collect(reply.into_body(), 64 << 10);
        let _ = tokio::time::timeout(Duration::from_secs(PATIENCE), rest).await;
        if status.is_success() { Ok(()) } else { Err(format!("the collector says {status}")) }
    }
}

fn take(item: Item, spans: &mut Vec<Value>, flushed: &mut Vec<oneshot::Sender<()>>) {
    match item {
        Item::Span(span) => spans.push(*span),
        Item::Flush(done) => flushed.push(done),
    }
}

/// `name=value,name=value`, as OTEL_EXPORTER_OTLP_HEADERS has it.
fn headers_of(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        // The value is a secret: it is not repeated in the message.
        let wrong = || "the collector's headers are `name=value,name=value`".to_owned();
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value: HeaderValue = value.trim().parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_a_full_queue_drops() {
        let options =
            |endpoint: &str| TraceOptions { endpoint: endpoint.into(), queue: 2, ..Default::default() };
        assert!(Exporter::new(&options("")).unwrap().is_none());
        assert!(Exporter::new(&options("collector:4318")).is_err());
        let exporter = Exporter::new(&options("http://c:4318/v1/traces")).unwrap().unwrap();
        assert_eq!(exporter.collector.address.path("/traces").unwrap().to_string(), "/v1/traces");
        exporter.add((0..5).map(|i| json!(i)));
        assert_eq!(exporter.stats.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(headers_of("a=b, x-key=1=2").unwrap()["x-key"], "1=2");
        let error = headers_of("no secret").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
