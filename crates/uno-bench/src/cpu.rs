//! Processor time of this process: what work costs on a machine that others use too.

/// Clock ticks a second in `/proc`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Seconds that all threads of this process have computed, in user mode and in the kernel; 0 where `/proc` does not say.
pub fn cpu_seconds() -> f64 {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| parse(&stat)).unwrap_or(0.0)
}

/// Fields 14 and 15; the name of the program, in parentheses before them, may hold blanks.
fn parse(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "77 (a b) c) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 9 1 2";
        assert_eq!(parse(stat), Some(3.0));
        assert_eq!(parse("nonsense"), None);
    }
}
