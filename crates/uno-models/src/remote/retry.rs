//! When to try again, and after which pause. Pure.

use std::time::{Duration, SystemTime};

/// The longest pause of our own choice.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest `Retry-After` that is waited for; a server that wants more has closed for us.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Whether a status may pass by itself.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599) && status != 501
}

/// Pause before attempt `attempt` (1 is the first retry): `base` doubled each time, between half and all of that (so that
/// clients that failed together do not come back together), and never less than what the server asked for.
/// `random` is in 0..1.
pub(crate) fn pause(base: Duration, attempt: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    let doubled = base.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    let jittered = doubled.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
    jittered.max(retry_after.unwrap_or_default())
}

/// Reads `Retry-After`: seconds, or an HTTP date.
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_stay_jittered_and_bounded() {
        let base = Duration::from_millis(500);
        assert_eq!(pause(base, 1, None, 1.0), Duration::from_millis(500));
        assert_eq!(pause(base, 1, None, 0.0), Duration::from_millis(250));
        assert_eq!(pause(base, 3, None, 1.0), Duration::from_secs(2));
        assert_eq!(pause(base, 40, None, 1.0), LONGEST);
    }

    #[test]
    fn what_the_server_asks_for_is_kept() {
        assert_eq!(
            pause(Duration::from_millis(1), 1, Some(Duration::from_secs(7)), 0.3),
            Duration::from_secs(7)
        );
        assert_eq!(retry_after("3", SystemTime::now()), Some(Duration::from_secs(3)));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let later = httpdate::fmt_http_date(now + Duration::from_secs(9));
        assert_eq!(retry_after(&later, now), Some(Duration::from_secs(9)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-4", now), None);
    }

    #[test]
    fn only_passing_failures_are_tried_again() {
        let passing: Vec<u16> = (400..600).filter(|s| is_passing(*s)).collect();
        assert!(passing.starts_with(&[408, 425, 429, 500, 502]));
        assert!(!is_passing(400) && !is_passing(404) && !is_passing(422));
    }
}
