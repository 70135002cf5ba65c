//! Requests that wait for a place in the batch, in order and bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The queue. One thread takes, any number give.
pub(super) struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// Something that may turn out not to wait any more.
pub(super) trait Leaves {
    fn is_gone(&self) -> bool;
}

impl<T: Leaves> Queue<T> {
    pub(super) fn new(limit: usize) -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { limit, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether there is room, once those who left are gone. `free`: places that the taker has; who gets one hardly waits.
    pub(super) fn has_room(&self, free: usize) -> bool {
        let limit = self.limit + free;
        let mut state = self.lock();
        if state.waiting.len() >= limit {
            state.waiting.retain(|one| !one.is_gone());
        }
        state.waiting.len() < limit && !state.closed
    }

    /// Joins the queue; gives back what finds no room.
    pub(super) fn push(&self, one: T, free: usize) -> Result<(), T> {
        if !self.has_room(free) {
            return Err(one);
        }
        self.lock().waiting.push_back(one);
        self.changed.notify_one();
        Ok(())
    }

    /// The next one, if there is one.
    pub(super) fn try_take(&self) -> Option<T> {
        self.lock().waiting.pop_front()
    }

    /// Waits for the next one; `None` when the queue was closed.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(one) = state.waiting.pop_front() {
                return Some(one);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct One(u32, bool);

    impl Leaves for One {
        fn is_gone(&self) -> bool {
            self.1
        }
    }

    #[test]
    fn it_is_bounded_and_who_left_makes_room() {
        let queue = Queue::new(2);
        assert!(queue.push(One(1, true), 0).is_ok() && queue.push(One(2, false), 0).is_ok());
        assert!(queue.push(One(3, false), 0).is_ok(), "the first has left");
        assert_eq!(queue.push(One(4, false), 0), Err(One(4, false)));
        assert!(queue.push(One(5, false), 1).is_ok(), "a place is free");
        let taken = [queue.take(), queue.try_take(), queue.take()].map(|one| one.map(|o| o.0));
        assert_eq!((taken, queue.len()), ([Some(2), Some(3), Some(5)], 0));
        queue.close();
        assert!(queue.take().is_none() && queue.push(One(6, false), 0).is_err());
    }
}
