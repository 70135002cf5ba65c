//! Rates per key: a bucket that fills evenly and holds one minute's worth.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Key;

/// The buckets of all keys.
#[derive(Default)]
pub(super) struct Limits {
    buckets: Mutex<HashMap<String, Buckets>>,
}

struct Buckets {
    requests: Bucket,
    tokens: Bucket,
}

/// May go below zero: tokens are known only after they were spent.
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    fn full(per_minute: u64) -> Self {
        Self { level: per_minute as f64, at: Instant::now() }
    }

    /// The level now.
    fn fill(&mut self, per_minute: u64, now: Instant) -> f64 {
        let per_minute = per_minute as f64;
        let since = now.duration_since(self.at).as_secs_f64();
        self.level = (self.level + per_minute / 60.0 * since).min(per_minute);
        self.at = now;
        self.level
    }
}

/// Whole seconds until `missing` units have come in.
fn wait(missing: f64, per_minute: u64) -> u64 {
    (missing * 60.0 / (per_minute as f64).max(1e-9)).ceil().clamp(1.0, 3600.0) as u64
}

impl Limits {
    /// Takes a request from the key's bucket; seconds to wait when there is none.
    pub(super) fn take_request(&self, key: &Key) -> Option<u64> {
        if key.requests_per_minute.is_none() && key.tokens_per_minute.is_none() {
            return None;
        }
        self.take_request_at(key, Instant::now())
    }

    fn take_request_at(&self, key: &Key, now: Instant) -> Option<u64> {
        self.with(key, |buckets| {
            if let Some(limit) = key.tokens_per_minute {
                let level = buckets.tokens.fill(limit, now);
                if level <= 0.0 {
                    return Some(wait(1.0 - level, limit));
                }
            }
            let limit = key.requests_per_minute?;
            let level = buckets.requests.fill(limit, now);
            if level < 1.0 {
                return Some(wait(1.0 - level, limit));
            }
            buckets.requests.level -= 1.0;
            None
        })
    }

    /// Takes tokens that were spent.
    pub(super) fn spend_tokens(&self, key: &Key, tokens: u64) {
        if key.tokens_per_minute.is_some() {
            self.with(key, |buckets| buckets.tokens.level -= tokens as f64);
        }
    }

    fn with<R>(&self, key: &Key, f: impl FnOnce(&mut Buckets) -> R) -> R {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = || Buckets {
            requests: Bucket::full(key.requests_per_minute.unwrap_or(0)),
            tokens: Bucket::full(key.tokens_per_minute.unwrap_or(0)),
        };
        f(all.entry(key.hash.clone()).or_insert_with(full))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(requests: Option<u64>, tokens: Option<u64>) -> Key {
        Key {
            name: "k".into(),
            hash: "h".into(),
            scopes: vec![],
            requests_per_minute: requests,
            tokens_per_minute: tokens,
        }
    }

    #[test]
    fn a_minute_holds_what_it_may_and_no_more() {
        let (limits, key) = (Limits::default(), key(Some(6), None));
        let now = Instant::now();
        assert!((0..6).all(|_| limits.take_request_at(&key, now).is_none()));
        assert_eq!(limits.take_request_at(&key, now), Some(10));
        let later = now + Duration::from_secs(11);
        assert_eq!(limits.take_request_at(&key, later), None);
        assert!(limits.take_request_at(&key, later).is_some());
        let (limits, key) = (Limits::default(), self::key(Some(0), None));
        assert_eq!(limits.take_request_at(&key, now), Some(3600), "a key that may not ask at all");
    }

    #[test]
    fn tokens_count_after_they_were_spent() {
        let (limits, key) = (Limits::default(), key(None, Some(60)));
        let now = Instant::now();
        assert_eq!(limits.take_request_at(&key, now), None);
        limits.spend_tokens(&key, 90);
        assert_eq!(limits.take_request_at(&key, now), Some(31));
        assert_eq!(limits.take_request_at(&key, now + Duration::from_secs(32)), None);
    }
}
