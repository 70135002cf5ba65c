//! Which trace a request belongs to, as W3C Trace Context has it.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's place in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: u128,
    /// The caller's span, if it has one.
    pub parent: Option<u64>,
    /// The gateway's span.
    pub server: u64,
    /// The span of the model's answer, which servers get as their parent.
    pub client: u64,
    /// Whether it is sent to the collector.
    pub sampled: bool,
}

impl TraceContext {
    /// Goes on from the caller's trace, or begins one of which a share of `sample` is sent; `headers` tell the server.
    pub fn enter(headers: &mut HeaderMap, sample: f64) -> Self {
        let told = headers.get(&TRACEPARENT).and_then(|v| parse(v.to_str().ok()?));
        let trace = told.map_or_else(|| not_zero(rand::random), |(trace, _, _)| trace);
        let context = Self {
            trace,
            parent: told.map(|(_, parent, _)| parent),
            server: not_zero(rand::random),
            client: not_zero(rand::random),
            sampled: told.map_or_else(|| (trace as u64 as f64 / u64::MAX as f64) < sample, |told| told.2),
        };
        if let Ok(value) = HeaderValue::from_str(&context.to_string()) {
            headers.insert(TRACEPARENT, value);
        }
        context
    }
}

/// As servers are told.
impl std::fmt::Display for TraceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.client, u8::from(self.sampled))
    }
}

fn not_zero<T: Default + PartialEq>(mut draw: impl FnMut() -> T) -> T {
    loop {
        let drawn = draw();
        if drawn != T::default() {
            return drawn;
        }
    }
}

/// Trace, span, and whether it is sampled. What is no such header is passed over: a new trace begins then.
fn parse(header: &str) -> Option<(u128, u64, bool)> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    // Later versions may have more parts, the first one has not.
    let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    if !known || !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|n| *n != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|n| *n != 0)?;
    Some((trace, span, u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn enter(header: &str) -> (TraceContext, String) {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(header).unwrap());
        let context = TraceContext::enter(&mut headers, 1.0);
        (context, headers[TRACEPARENT].to_str().unwrap().to_owned())
    }

    #[test]
    fn the_callers_trace_goes_on_with_spans_of_our_own() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (context, told) = enter(given);
        assert_eq!((context.parent, context.sampled), (Some(0x00f0_67aa_0ba9_02b7), true));
        assert_eq!(told, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", context.client));
        let (quiet, told) = enter("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        assert!(!quiet.sampled && told.ends_with("-00"), "who does not want it traced is heard");
        assert!(enter("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").0.parent.is_some());
        for wrong in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(enter(wrong).0.parent, None, "{wrong}");
        }
    }

    #[test]
    fn a_share_of_new_traces_is_sampled() {
        let sampled =
            |share| (0..1000).filter(|_| TraceContext::enter(&mut HeaderMap::new(), share).sampled).count();
        assert_eq!((sampled(0.0), sampled(1.1)), (0, 1000));
        assert!((200..400).contains(&sampled(0.3)));
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }
    }
}
