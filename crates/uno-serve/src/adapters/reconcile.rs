//! One thread per server that brings it step by step to what is wanted.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uno_models::remote::AdapterHost;
use uno_types::AdapterRef;

use super::{Step, next_step};
use crate::gateway::Gateway;
use crate::upstream::Replica;

/// Pause between looks.
const EVERY: Duration = Duration::from_millis(500);
/// Pause before an adapter that failed is tried again.
const BLOCKED: Duration = Duration::from_secs(60);
/// Longest wait for requests in flight before a step is put off.
const DRAIN: Duration = Duration::from_secs(60);

/// A server that adapters can be loaded into.
pub struct Server {
    /// Loads and unloads.
    pub host: AdapterHost,
    /// Adapters that it holds at once (vLLM's --max-loras).
    pub slots: usize,
}

/// The threads. They end when this is dropped.
pub struct Reconciler {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Reconciler {
    /// Starts a thread for each server; `servers` in the order of the gateway's replicas.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(gateway: &Arc<Gateway>, servers: Vec<Server>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        // Adapters are loaded into one server at a time: meanwhile the others answer with theirs.
        let turn = Arc::new(Mutex::new(()));
        let threads = servers.into_iter().zip(gateway.replicas.iter()).map(|(server, replica)| {
            let worker = Worker {
                gateway: Arc::clone(gateway),
                replica: Arc::clone(replica),
                server,
                turn: Arc::clone(&turn),
                stop: Arc::clone(&stop),
                blocked: HashMap::new(),
            };
            std::thread::Builder::new().name("uno-adapters".into()).spawn(move || worker.run())
        });
        let threads = threads.collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self { stop, threads })
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Worker {
    gateway: Arc<Gateway>,
    replica: Arc<Replica>,
    server: Server,
    turn: Arc<Mutex<()>>,
    stop: Arc<AtomicBool>,
    /// Adapters that failed, until when.
    blocked: HashMap<String, Instant>,
}

impl Worker {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            while self.step() && !self.stop.load(Ordering::Relaxed) {}
            std::thread::park_timeout(EVERY);
        }
    }

    /// Looks and does one thing; whether there may be more to do.
    fn step(&mut self) -> bool {
        let wanted = self.gateway.plans.wanted_adapters();
        let ready: BTreeSet<String> = self.replica.ready().iter().map(|n| n.to_string()).collect();
        if wanted.is_empty() && ready.is_empty() && !self.replica.is_down() {
            return false;
        }
        let held = match self.server.host.held() {
            Ok(held) => held.adapters,
            Err(error) => {
                // Whether it lost its adapters is seen when it is back; until then nothing is routed to them.
                tracing::debug!(server = %self.replica.address, "not asked for its adapters: {error}");
                self.replica.set_down(true);
                ready.iter().for_each(|name| self.replica.set_ready(name, false));
                return false;
            }
        };
        self.replica.set_down(false);
        let now = Instant::now();
        self.blocked.retain(|_, until| *until > now);
        let blocked: BTreeSet<String> = self.blocked.keys().cloned().collect();
        self.gateway.plans.note_blocked(&self.replica.address.to_string(), blocked.clone());
        let Some(step) = next_step(&wanted, &held, &ready, &blocked, self.server.slots) else { return false };
        match step {
            Step::Forget(name) => {
                tracing::warn!(server = %self.replica.address, adapter = name, "the server lost it; it is loaded again");
                self.replica.set_ready(&name, false);
                true
            }
            Step::Unload(name) => self.unload(&name),
            Step::Load(adapter) => self.load(&adapter),
        }
    }

    fn unload(&mut self, name: &str) -> bool {
        self.replica.set_ready(name, false);
        if !self.wait(|replica| replica.in_flight_of(name) == 0) {
            return false;
        }
        match self.server.host.unload(name) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(server = %self.replica.address, adapter = name, "not unloaded: {error}");
                false
            }
        }
    }

    /// Loading while adapters answer can mix up whose weights answer (vllm#47724): routing to the server's adapters stops for
    /// the moment, their requests end, and only then it is loaded.
    fn load(&mut self, adapter: &AdapterRef) -> bool {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let paused = self.replica.ready();
        paused.iter().for_each(|name| self.replica.set_ready(name, false));
        let idle = self.wait(|replica| replica.in_flight_of_all() == 0);
        let outcome = if idle {
            self.server.host.load(adapter).map_err(|e| e.to_string())
        } else {
            Err("requests to adapters do not end".into())
        };
        paused.iter().for_each(|name| self.replica.set_ready(name, true));
        match outcome {
            Ok(()) => self.replica.set_ready(&adapter.name, true),
            Err(error) => {
                tracing::warn!(server = %self.replica.address, adapter = adapter.name, "not routed to: {error}");
                self.gateway.metrics.adapter_errors.fetch_add(1, Ordering::Relaxed);
                self.blocked.insert(adapter.name.clone(), Instant::now() + BLOCKED);
            }
        }
        true
    }

    /// Whether it came to be so in time.
    fn wait(&self, until: impl Fn(&Replica) -> bool) -> bool {
        let started = Instant::now();
        while !until(&self.replica) {
            if started.elapsed() > DRAIN || self.stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}
