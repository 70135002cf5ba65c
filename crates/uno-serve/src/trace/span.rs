//! The spans of a request, in OTLP's JSON form (opentelemetry-proto 1.x, `ExportTraceServiceRequest`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::TraceContext;
use crate::decision::Served;
use crate::http::tee::End;
use crate::record::Seen;
use crate::sse::Answer;

const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// What a request's spans are made of besides what was seen of it.
pub struct Spans<'a> {
    /// Its place in the trace.
    pub context: TraceContext,
    /// The model's name in the request.
    pub model: &'a str,
    /// The base model's name.
    pub base_model: &'a str,
    /// The server that answered.
    pub server: &'a str,
    /// When its answer ended.
    pub ended: SystemTime,
    /// Microseconds from the request to then.
    pub total_us: u64,
}

impl Spans<'_> {
    /// The gateway's span, and that of the model's answer.
    pub fn of(&self, seen: &Seen, answer: &Answer, end: &End) -> [Value; 2] {
        let began = self.ended.checked_sub(Duration::from_micros(self.total_us)).unwrap_or(UNIX_EPOCH);
        let asked = began + Duration::from_micros(seen.overhead_us);
        let error = match end {
            End::Broken(why) => Some(why.clone()),
            End::Abandoned => None,
            End::Whole => (seen.status >= 400).then(|| format!("status {}", seen.status)),
        };
        [
            self.server_span(seen, began, error.as_deref(), end),
            self.client_span(seen, asked, answer, error.as_deref()),
        ]
    }

    fn server_span(&self, seen: &Seen, began: SystemTime, error: Option<&str>, end: &End) -> Value {
        let decision = &seen.decision;
        let route = if seen.chat { "/v1/chat/completions" } else { "/v1/completions" };
        let mut attributes = vec![
            text("http.request.method", "POST"),
            text("http.route", route),
            number("http.response.status_code", u64::from(seen.status)),
            text("uno.decision", &decision.id),
            text("uno.path", decision.served.as_str()),
            text("uno.reason", decision.reason.as_str()),
            number("uno.overhead_us", seen.overhead_us),
            number("uno.embed_us", decision.embed_us),
        ];
        if let Some(cluster) = decision.cluster {
            attributes.push(number("uno.cluster", cluster as u64));
        }
        if let Some(adapter) = &decision.adapter {
            attributes.push(text("uno.adapter", adapter));
        }
        if let Some(plan) = &decision.plan {
            attributes.extend([text("uno.plan", plan), text("uno.arm", decision.arm())]);
        }
        if *end == End::Abandoned {
            attributes.push(json!({"key": "uno.abandoned", "value": {"boolValue": true}}));
        }
        let mut span = self.span(self.context.server, &format!("POST {route}"), SERVER, began, attributes);
        if let Some(parent) = self.context.parent {
            span["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        with_error(span, error.filter(|_| seen.status >= 500 || matches!(end, End::Broken(_))), seen.status)
    }

    fn client_span(&self, seen: &Seen, asked: SystemTime, answer: &Answer, error: Option<&str>) -> Value {
        let operation = if seen.chat { "chat" } else { "text_completion" };
        let served = match seen.decision.served {
            Served::Expert => seen.decision.adapter.as_deref().unwrap_or_default(),
            Served::Critic | Served::Base => self.base_model,
            Served::Direct => self.model,
        };
        let mut attributes = vec![
            text("gen_ai.operation.name", operation),
            // What the protocol tells: the servers are compatible ones.
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", self.model),
            text("gen_ai.response.model", served),
        ];
        if let Some((host, port)) = place(self.server) {
            attributes.extend([text("server.address", host), number("server.port", port)]);
        }
        for (key, n) in [
            ("gen_ai.usage.input_tokens", answer.prompt_tokens),
            ("gen_ai.usage.output_tokens", answer.completion_tokens),
        ] {
            attributes.extend(n.map(|n| number(key, n)));
        }
        if let Some(finish) = &answer.finish {
            let values = json!([{"stringValue": finish}]);
            attributes.push(
                json!({"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": values}}}),
            );
        }
        let name = format!("{operation} {}", self.model);
        let mut span = self.span(self.context.client, name.trim_end(), CLIENT, asked, attributes);
        span["parentSpanId"] = json!(format!("{:016x}", self.context.server));
        let first = asked + Duration::from_micros(seen.first_byte_us);
        span["events"] = json!([{"name": "first_byte", "timeUnixNano": nanos(first)}]);
        with_error(span, error, seen.status)
    }

    fn span(&self, id: u64, name: &str, kind: u8, began: SystemTime, attributes: Vec<Value>) -> Value {
        json!({
            "traceId": format!("{:032x}", self.context.trace),
            "spanId": format!("{id:016x}"),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": nanos(began),
            "endTimeUnixNano": nanos(self.ended.max(began)),
            "attributes": attributes,
        })
    }
}

/// Marks a span as failed.
fn with_error(mut span: Value, error: Option<&str>, status: u16) -> Value {
    let Some(error) = error else { return span };
    span["status"] = json!({"code": 2, "message": error});
    let kind = if status >= 400 { status.to_string() } else { "stream_broken".into() };
    if let Some(attributes) = span["attributes"].as_array_mut() {
        attributes.push(text("error.type", &kind));
    }
    span
}

/// Host and port of a base address.
fn place(address: &str) -> Option<(&str, u64)> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split('/').next()?;
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((authority, if scheme == "https" { 443 } else { 80 })),
    }
}

fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are strings in protobuf's JSON.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}
