//! LoRA adapters loaded into vLLM at run time.
//!
//! What goes wrong there without an error has been collected from vLLM's issues; each rule below answers one:
//! - Loading while requests decode can answer them with another adapter's weights (vllm#47724): adapters are loaded only
//!   while none of our requests is in flight, and never more than `max_loras`.
//! - Weights under a name that was used before meet the old prefix cache (vllm#42125): names are content hashes, a name is
//!   never loaded from other files, and `load_inplace` is never sent.
//! - A load can answer 200 without effect (vllm#18372, #34186): files are checked before, the model list after, and then
//!   a probe must show that the answers changed, and changed as they should.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use serde_json::json;
use uno_types::AdapterRef;

use super::config::RemoteConfig;
use super::error::RemoteError;
use super::host::AdapterHost;
use super::runtime;
use super::server::Server;

/// How long unloading may take when nobody waits for it any more.
const PARTING: Duration = Duration::from_secs(5);

/// The adapters that UNO holds on one server.
pub struct VllmAdapters {
    host: AdapterHost,
    max_loras: usize,
    state: Mutex<State>,
    changed: Condvar,
}

/// By base URL and base model.
type Users = HashMap<(String, String), Weak<VllmAdapters>>;

#[derive(Default)]
struct State {
    loaded: BTreeMap<String, Loaded>,
    /// Waves of requests in flight.
    active: usize,
    /// Somebody loads, or waits for the requests in flight to end so that they can.
    loading: bool,
    clock: u64,
}

struct Loaded {
    last_used: u64,
}

/// While this lives, the adapters it was given for stay loaded and no other is loaded.
pub(super) struct Lease {
    adapters: Arc<VllmAdapters>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.adapters.lock().active -= 1;
        self.adapters.changed.notify_all();
    }
}

impl VllmAdapters {
    /// The adapters of a server: the same object for all users of the same server and model in this process, because they
    /// share its slots.
    pub(crate) fn shared(server: Arc<Server>, base_model: &str, config: &RemoteConfig) -> Arc<Self> {
        static ALL: OnceLock<Mutex<Users>> = OnceLock::new();
        let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let key = (server.base().to_owned(), base_model.to_owned());
        if let Some(existing) = all.get(&key).and_then(Weak::upgrade) {
            return existing;
        }
        let new = Arc::new(Self {
            host: AdapterHost::on(server, base_model, config.adapter_paths.clone()),
            max_loras: config.max_loras.max(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        all.insert(key, Arc::downgrade(&new));
        new
    }

    /// Loads and probes an adapter ahead of its first request. Requests load what they need anyway; this is for seeing
    /// early whether the server takes it.
    ///
    /// # Errors
    /// When its files are wrong, the server does not take it, or the probe fails.
    pub fn ensure_loaded(self: &Arc<Self>, adapter: &AdapterRef) -> Result<(), RemoteError> {
        // The lease ends here: a caller that held one while asking for the next adapter would wait for itself.
        let (_lease, mut failed) = self.acquire(std::slice::from_ref(adapter))?;
        failed.pop().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Names of the adapters that are loaded and passed their probe.
    pub fn loaded(&self) -> Vec<String> {
        self.lock().loaded.keys().cloned().collect()
    }

    /// Makes adapters usable, at most `max_loras`, and lets no other be loaded while the lease lives. Adapters that cannot
    /// be used come back with the reason.
    pub(super) fn acquire(
        self: &Arc<Self>,
        wanted: &[AdapterRef],
    ) -> Result<(Lease, Vec<(String, RemoteError)>), RemoteError> {
        if wanted.len() > self.max_loras {
            return Err(RemoteError::Config(format!(
                "{} adapters at once, but max_loras is {}; start the server with a larger --max-loras and say so in the \
                 configuration",
                wanted.len(),
                self.max_loras
            )));
        }
        let mut state = self.lock();
        loop {
            let missing: Vec<AdapterRef> =
                wanted.iter().filter(|a| !state.loaded.contains_key(&a.name)).cloned().collect();
            if !state.loading && (missing.is_empty() || state.active == 0) {
                if missing.is_empty() {
                    return Ok((self.lease(&mut state, wanted), vec![]));
                }
                state.loading = true;
                drop(state);
                let outcome = self.load_all(&missing, wanted);
                state = self.lock();
                state.loading = false;
                self.changed.notify_all();
                let failed = outcome?;
                return Ok((self.lease(&mut state, wanted), failed));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lease(self: &Arc<Self>, state: &mut State, wanted: &[AdapterRef]) -> Lease {
        state.active += 1;
        state.clock += 1;
        let now = state.clock;
        for adapter in wanted {
            if let Some(loaded) = state.loaded.get_mut(&adapter.name) {
                loaded.last_used = now;
            }
        }
        Lease { adapters: self.clone() }
    }

    /// Loads what is missing while no request is in flight. Fails as a whole only when the server is gone.
    fn load_all(
        &self,
        missing: &[AdapterRef],
        wanted: &[AdapterRef],
    ) -> Result<Vec<(String, RemoteError)>, RemoteError> {
        let mut failed = Vec::new();
        for adapter in missing {
            match self.make_room(wanted).and_then(|()| self.host.load(adapter)) {
                Ok(()) => {
                    self.lock().loaded.insert(adapter.name.clone(), Loaded { last_used: 0 });
                }
                Err(error) if error.is_gone() => return Err(error),
                Err(error) => failed.push((adapter.name.clone(), error)),
            }
        }
        Ok(failed)
    }

    /// Unloads the adapter that was not used for the longest time, if all slots are taken.
    fn make_room(&self, wanted: &[AdapterRef]) -> Result<(), RemoteError> {
        let victim = {
            let state = self.lock();
            if state.loaded.len() < self.max_loras {
                return Ok(());
            }
            let idle = state.loaded.iter().filter(|(name, _)| !wanted.iter().any(|a| a.name == **name));
            idle.min_by_key(|(_, loaded)| loaded.last_used).map(|(name, _)| name.clone())
        };
        victim.map_or(Ok(()), |name| self.unload(&name))
    }

    /// Unloads one adapter.
    ///
    /// # Errors
    /// When the server refuses; an adapter that it does not know counts as unloaded.
    pub fn unload(&self, name: &str) -> Result<(), RemoteError> {
        self.lock().loaded.remove(name);
        self.host.unload(name)
    }

    /// Unloads all adapters that were loaded here. Also done when the last user is dropped.
    ///
    /// # Errors
    /// The first failure; the others are unloaded all the same.
    pub fn unload_all(&self) -> Result<(), RemoteError> {
        let outcomes: Vec<_> = self.loaded().iter().map(|name| self.unload(name)).collect();
        outcomes.into_iter().collect()
    }

    /// Takes adapters as not loaded: the server said that it does not know them.
    pub(crate) fn forget(&self, adapters: &[AdapterRef]) {
        let mut state = self.lock();
        for adapter in adapters {
            state.loaded.remove(&adapter.name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for VllmAdapters {
    fn drop(&mut self) {
        let (server, names) = (self.host.server(), self.loaded());
        if names.is_empty() {
            return;
        }
        let parting = async move {
            for name in names {
                let body = json!({ "lora_name": name });
                let unload = server.post_text("/unload_lora_adapter", &body);
                if !matches!(tokio::time::timeout(PARTING, unload).await, Ok(Ok(_))) {
                    tracing::warn!(
                        adapter = name,
                        "could not be unloaded; it stays on the server until that restarts"
                    );
                    return;
                }
            }
        };
        let _ = runtime::wait(parting);
    }
}
