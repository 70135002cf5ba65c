//! A model that is opened when it is first needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// An opened model, or the place for it. Clones of `T` share the model.
pub(super) struct Once<T>(Mutex<Option<T>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Once<T> {
    fn slot(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model; `open` is called when there is none, and again after it failed.
    ///
    /// # Errors
    /// Those of `open`.
    pub(super) fn get_or_open(&self, open: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut slot = self.slot();
        match slot.as_ref() {
            Some(opened) => Ok(opened.clone()),
            None => Ok(slot.insert(open()?).clone()),
        }
    }

    /// The model, if it is open.
    pub(super) fn get(&self) -> Option<T> {
        self.slot().clone()
    }

    /// Lets the model go; it is opened again when it is needed.
    pub(super) fn close(&self) {
        self.slot().take();
    }
}
