//! When old rows go. A clock that jumps must not delete the log.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pause between looks.
const EVERY: Duration = Duration::from_secs(3600);
/// The wall clock may differ so much from the steady one before it is not believed.
const TRUST: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Says what is due.
pub(super) struct Retention {
    keep_days: u64,
    started: (Instant, SystemTime),
    next: Instant,
}

impl Retention {
    pub(super) fn new(keep_days: u64) -> Self {
        let now = Instant::now();
        Self { keep_days, started: (now, SystemTime::now()), next: now }
    }

    /// Rows before this time may go now, milliseconds since 1970.
    pub(super) fn due(&mut self) -> Option<i64> {
        if self.keep_days == 0 || Instant::now() < self.next {
            return None;
        }
        self.due_at(self.started.0.elapsed(), SystemTime::now())
    }

    fn due_at(&mut self, steady: Duration, wall: SystemTime) -> Option<i64> {
        let expected = self.started.1 + steady;
        let off = wall.duration_since(expected).unwrap_or_else(|e| e.duration());
        if off > TRUST {
            tracing::warn!("the clock jumped by {} s: old rows of the log stay for now", off.as_secs());
            self.next = Instant::now() + EVERY;
            self.started = (Instant::now(), wall);
            return None;
        }
        let now = i64::try_from(wall.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
        let kept = i64::try_from(self.keep_days).ok()?.checked_mul(DAY_MS)?;
        Some(now - kept)
    }

    /// So many rows went; when it was none the next look is later.
    pub(super) fn done(&mut self, rows: u64) {
        if rows == 0 {
            self.next = Instant::now() + EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_clock_deletes_nothing() {
        let mut retention = Retention::new(30);
        let start = retention.started.1;
        let hour = Duration::from_secs(3600);
        let due = retention.due_at(10 * hour, start + 10 * hour).unwrap();
        let started = i64::try_from(start.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        assert_eq!(due, started + 10 * 3_600_000 - 30 * DAY_MS);
        assert_eq!(retention.due_at(11 * hour, start + 9000 * hour), None, "a year ahead");
        assert_eq!(Retention::new(0).due(), None);
    }
}
