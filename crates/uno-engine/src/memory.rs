//! How much memory the process has used, and how much it may still take.

use std::path::Path;

/// Peak resident memory of this process in MiB (`VmHWM`), or 0 where the system does not tell.
pub fn peak_rss_mib() -> f64 {
    kib("/proc/self/status", "VmHWM:").unwrap_or(0.0) / 1024.0
}

/// Memory in MiB that the process can still take before the machine swaps or its control group kills it; `None` where the
/// system does not tell.
pub fn available_mib() -> Option<f64> {
    let machine = kib("/proc/meminfo", "MemAvailable:").map(|kib| kib / 1024.0);
    machine.into_iter().chain(control_group_mib()).reduce(f64::min)
}

/// A line `NAME  N kB` of one of the kernel's tables.
fn kib(path: &str, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a container's limit leaves (version 2 of the interface, then version 1).
fn control_group_mib() -> Option<f64> {
    let bytes = |file: &str| {
        let text = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?;
        text.trim().parse::<f64>().ok()
    };
    let left = |limit, used| Some((bytes(limit)? - bytes(used)?).max(0.0) / f64::from(1 << 20));
    left("memory.max", "memory.current")
        .or_else(|| left("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
}
