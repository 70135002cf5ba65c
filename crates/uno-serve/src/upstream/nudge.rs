//! A waker for things that are polled together by one task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

const RESTING: u8 = 0;
const POLLING: u8 = 1;
const STIRRED: u8 = 2;

/// Rounds before others get their turn.
const ROUNDS: usize = 16;

/// Wakes its task when something happens, but not for what the polled things tell each other while they are polled: that
/// only means another round. A task that wakes itself would have the runtime wake a thread each time.
pub(super) struct Nudge {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(STIRRED, Ordering::AcqRel) == RESTING {
            self.task.wake();
        }
    }
}

impl Nudge {
    pub(super) fn new() -> Self {
        let shared = Arc::<Shared>::default();
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Polls until it is ready, or pending without anything having stirred.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.shared.task.register(cx.waker());
        let mut own = Context::from_waker(&self.waker);
        for _ in 0..ROUNDS {
            self.shared.state.store(POLLING, Ordering::Release);
            if let Poll::Ready(out) = poll(&mut own) {
                return Poll::Ready(out);
            }
            let rests =
                self.shared.state.compare_exchange(POLLING, RESTING, Ordering::AcqRel, Ordering::Acquire);
            if rests.is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_stir_while_polling_is_another_round_and_one_at_rest_wakes_the_task() {
        let woken = Arc::<Count>::default();
        let task = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&task);
        let nudge = Nudge::new();
        let (mut rounds, mut kept) = (0, None);
        let out: Poll<()> = nudge.poll(&mut cx, |cx| {
            rounds += 1;
            kept = Some(cx.waker().clone());
            if rounds < 3 {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        });
        assert!(out.is_pending());
        assert_eq!((rounds, woken.0.load(Ordering::Relaxed)), (3, 0));
        kept.iter().for_each(Waker::wake_by_ref);
        kept.iter().for_each(Waker::wake_by_ref);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "once until it is polled again");
        assert_eq!(nudge.poll(&mut cx, |_| Poll::Ready(7)), Poll::Ready(7));
    }

    #[test]
    fn what_always_stirs_lets_others_have_their_turn() {
        let woken = Arc::<Count>::default();
        let task = Waker::from(Arc::clone(&woken));
        let out: Poll<()> = Nudge::new().poll(&mut Context::from_waker(&task), |cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(out.is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }
}
