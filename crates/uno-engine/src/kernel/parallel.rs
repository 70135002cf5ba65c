//! Splitting rows among the threads of the current rayon pool.

/// Below this many rows a split costs more than it saves.
const MIN_ROWS: usize = 16;

/// Products of less than this many multiplications stay on one thread.
pub(crate) const PARALLEL_FROM: usize = 1 << 16;

/// Rows per task so that each thread of the pool gets one block.
pub(crate) fn rows_per_task(rows: usize) -> usize {
    if rows < MIN_ROWS { rows.max(1) } else { rows.div_ceil(rayon::current_num_threads()) }
}

/// Runs `work` on a thread of the pool, so that the many small parallel steps inside need no hand-over each.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        work()
    } else {
        let mut result = None;
        rayon::scope(|_| result = Some(work()));
        match result {
            Some(result) => result,
            None => unreachable!("rayon::scope runs its closure before it returns"),
        }
    }
}

/// Runs `f` over `0..n` cut into one contiguous range (a multiple of `align`) per thread.
pub(crate) fn ranges(n: usize, align: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    split(0, n.div_ceil(align), rayon::current_num_threads(), &|from, to| {
        f(from * align, (to * align).min(n));
    });
}

fn split(from: usize, to: usize, pieces: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    if pieces <= 1 || to - from <= 1 {
        if to > from {
            f(from, to);
        }
        return;
    }
    let left = pieces / 2;
    let middle = from + (to - from) * left / pieces;
    rayon::join(|| split(from, middle, left, f), || split(middle, to, pieces - left, f));
}
