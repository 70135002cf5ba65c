//! Splitting rows among the threads of the current rayon pool.

use std::sync::OnceLock;

use super::team::pieces;

/// Threads that come late find ranges left.
const RANGES_PER_THREAD: usize = 4;

/// Below this many rows a split costs more than it saves.
const MIN_ROWS: usize = 16;

/// Products of less than this many multiplications stay on one thread.
pub(crate) const PARALLEL_FROM: usize = 1 << 16;

/// Rows per task so that each thread of the pool gets one block.
pub(crate) fn rows_per_task(rows: usize) -> usize {
    if rows < MIN_ROWS { rows.max(1) } else { rows.div_ceil(rayon::current_num_threads()) }
}

/// What `make` gives, kept in `lock`. It runs outside of the lock: work that is split among threads inside it may meet other
/// work on the same threads that asks for the same value, and would wait for itself. (Two may make it then; one is kept.)
pub(crate) fn made_once<T>(lock: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match lock.get() {
        Some(value) => value,
        None => {
            let value = make();
            lock.get_or_init(|| value)
        }
    }
}

/// Runs `f` over `0..n` cut into contiguous ranges (multiples of `align`), a few per thread.
pub(crate) fn ranges(n: usize, align: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    let parts = RANGES_PER_THREAD * rayon::current_num_threads();
    split(n.div_ceil(align), parts, &|from, to| f(from * align, (to * align).min(n)));
}

/// Runs `f` over `0..n` cut into at most `parts` contiguous ranges.
pub(crate) fn split(n: usize, parts: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    let parts = parts.min(n);
    pieces(parts, &|part| f(part * n / parts, (part + 1) * n / parts));
}
