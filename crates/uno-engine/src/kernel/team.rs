//! Threads that stay awake for the length of a pass. A pass is hundreds of short parallel steps; waking a sleeping thread for
//! each costs more than many of them (20 µs against 1 µs on a virtual machine), so the pool's other threads watch for work
//! until the pass is over.
//!
//! Nobody waits for a thread that has not come: whoever opens a step works on it too, and others take pieces when they are
//! there. A pass therefore never waits for threads that are busy elsewhere.

use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use rayon::Scope;

/// Looks before a waiting thread begins to give way to others.
const LOOKS: usize = 400;

/// One step: `pieces` calls of `work`, each made by whoever takes its number.
struct Job<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    pieces: usize,
    next: AtomicUsize,
    /// A piece panicked.
    failed: AtomicBool,
}

impl Job<'_> {
    fn run(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.pieces {
                return;
            }
            (self.work)(piece);
        }
    }
}

/// The threads of one pass.
#[derive(Default)]
struct Team {
    /// The open step, or null.
    job: AtomicPtr<Job<'static>>,
    /// Helpers that may be looking at the open step.
    looking: AtomicUsize,
    over: AtomicBool,
}

thread_local! {
    /// The team of the pass that this thread leads, unless it is inside a piece.
    static LED: Cell<Option<*const Team>> = const { Cell::new(None) };
    /// This thread leads a pass or helps in one.
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// Sets a thread's cell for the length of a scope.
struct Held<T: Copy + 'static>(&'static std::thread::LocalKey<Cell<T>>, T);

impl<T: Copy> Held<T> {
    fn new(key: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Self {
        Held(key, key.replace(value))
    }
}

impl<T: Copy> Drop for Held<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

fn pause(looks: &mut usize) {
    *looks += 1;
    if *looks > LOOKS {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

impl Team {
    /// Runs `pass` on this thread while others help.
    fn led<'a, R>(&'a self, scope: &Scope<'a>, pass: impl FnOnce() -> R) -> R {
        /// Sends the helpers home, also when the pass panics.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let _over = Over(&self.over);
        let _taken = Held::new(&TAKEN, true);
        let _led = Held::new(&LED, Some(&raw const *self));
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| self.help());
        }
        pass()
    }

    /// Works on whatever is opened until the pass is over.
    fn help(&self) {
        // A thread that leads a pass and waits for something may be given this task: helping would then end with the other
        // pass, and two passes could wait for each other.
        if TAKEN.get() {
            return;
        }
        let _taken = Held::new(&TAKEN, true);
        let mut looks = 0;
        while !self.over.load(Ordering::Acquire) {
            if self.job.load(Ordering::Relaxed).is_null() {
                pause(&mut looks);
                continue;
            }
            // Announced first, looked at again then: whoever closes a step clears it first and looks for announced helpers
            // then, so that either it sees this helper or this helper sees that the step is gone.
            self.looking.fetch_add(1, Ordering::SeqCst);
            let job = self.job.load(Ordering::SeqCst);
            // SAFETY: not null only while its owner waits for `looking` to become zero.
            let job = unsafe { job.as_ref() }.filter(|job| job.next.load(Ordering::Relaxed) < job.pieces);
            if let Some(job) = job {
                looks = 0;
                if catch_unwind(AssertUnwindSafe(|| job.run())).is_err() {
                    job.failed.store(true, Ordering::Relaxed);
                }
            }
            self.looking.fetch_sub(1, Ordering::SeqCst);
            pause(&mut looks);
        }
    }

    /// Opens a step, works on it, and returns when it is done.
    fn run(&self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        let job = Job { work, pieces, next: AtomicUsize::new(0), failed: AtomicBool::new(false) };
        let address = (&raw const job).cast::<Job<'static>>().cast_mut();
        self.job.store(address, Ordering::SeqCst);
        // Steps inside a piece are not shared out again.
        let own = {
            let _alone = Held::new(&LED, None);
            catch_unwind(AssertUnwindSafe(|| job.run()))
        };
        self.job.store(null_mut(), Ordering::SeqCst);
        let mut looks = 0;
        while self.looking.load(Ordering::SeqCst) > 0 {
            pause(&mut looks);
        }
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!job.failed.load(Ordering::Relaxed), "a helper's piece of a parallel step panicked");
    }
}

/// Runs `pass` on a thread of the current pool while the pool's other threads help with the steps it opens by [`pieces`].
pub(crate) fn lead<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    if TAKEN.get() {
        return pass();
    }
    let team = Team::default();
    rayon::scope(|scope| team.led(scope, pass))
}

/// As [`lead`], on the calling thread even where that is none of the pool's: a short pass does not wait for one of these to
/// wake up. The pass must not split work by rayon itself: all threads of the pool may be helping in such passes.
pub(crate) fn lead_here<R>(pass: impl FnOnce() -> R) -> R {
    if TAKEN.get() {
        return pass();
    }
    let team = Team::default();
    rayon::in_place_scope(|scope| team.led(scope, pass))
}

/// Calls `work` with each number below `n`, on all threads of the pass that this thread leads; outside of a pass or inside
/// a piece, one after another.
pub(crate) fn pieces(n: usize, work: &(dyn Fn(usize) + Sync)) {
    match LED.get() {
        // SAFETY: set by `lead`, which outlives the pass on this thread.
        Some(team) if n > 1 => unsafe { &*team }.run(n, work),
        _ => (0..n).for_each(work),
    }
}

/// Calls `work` with each item; see [`pieces`].
pub(crate) fn each<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    /// Taken once, by the thread that got its number.
    struct Slot<T>(UnsafeCell<Option<T>>);
    // SAFETY: each slot is touched by one thread only.
    unsafe impl<T: Send> Sync for Slot<T> {}
    let slots: Vec<Slot<T>> = items.into_iter().map(|item| Slot(UnsafeCell::new(Some(item)))).collect();
    pieces(slots.len(), &|i| {
        // SAFETY: a number is given out once.
        if let Some(item) = unsafe { (*slots[i].0.get()).take() } {
            work(item);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// Every piece once, over many short steps, with more threads than cores.
    #[test]
    fn every_piece_is_done_once() {
        for threads in [1, 2, 5] {
            pool(threads).install(|| {
                lead(|| {
                    for n in (0..2000).map(|i| i % 17) {
                        let mut counts = vec![0u32; n];
                        each(counts.iter_mut(), |count| *count += 1);
                        assert!(counts.iter().all(|c| *c == 1));
                    }
                });
            });
        }
    }

    /// Passes of threads that are not the pool's: each leads its own.
    #[test]
    fn a_pass_may_stay_on_its_thread() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let here = std::thread::current().id();
                    for n in (0..500).map(|i| i % 17) {
                        let done = AtomicUsize::new(0);
                        lead_here(|| {
                            assert_eq!(std::thread::current().id(), here);
                            pieces(n, &|i| {
                                done.fetch_add(i + 1, Ordering::Relaxed);
                            });
                        });
                        assert_eq!(done.into_inner(), n * (n + 1) / 2);
                    }
                });
            }
        });
    }

    /// Passes of several callers in one pool, with steps inside pieces and rayon's own work between.
    #[test]
    fn passes_do_not_wait_for_each_other() {
        let pool = pool(2);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let total = AtomicUsize::new(0);
                        pool.install(|| {
                            lead(|| {
                                pieces(8, &|i| {
                                    pieces(3, &|j| {
                                        total.fetch_add(i * j, Ordering::Relaxed);
                                    });
                                });
                                rayon::join(
                                    || total.fetch_add(1, Ordering::Relaxed),
                                    || total.fetch_add(1, Ordering::Relaxed),
                                );
                            });
                        });
                        assert_eq!(total.into_inner(), 28 * 3 + 2);
                    }
                });
            }
        });
    }

    /// A panic reaches the caller, whichever thread it happened on, and the pool works afterwards.
    #[test]
    fn a_panic_is_passed_on() {
        let pool = pool(3);
        for bad in [0, 7, 15] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.install(|| lead(|| pieces(16, &|i| assert!(i != bad, "piece {bad}"))));
            }));
            assert!(caught.is_err());
        }
        assert_eq!(pool.install(|| lead(|| 3)), 3);
    }
}
