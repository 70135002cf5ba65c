//! One thread per server that brings it step by step to what is wanted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uno_models::remote::AdapterHost;
use uno_types::AdapterRef;

use super::{Step, next_step};
use crate::gateway::Gateway;
use crate::upstream::{Hold, Replica};

/// Pause between looks.
const EVERY: Duration = Duration::from_millis(500);
/// Pause before an adapter that failed is tried again.
const BLOCKED: Duration = Duration::from_secs(60);
/// Pause between looks at what is about to happen.
const TICK: Duration = Duration::from_millis(5);
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
        let turn = Arc::new(AtomicBool::new(false));
        let threads = servers.into_iter().zip(gateway.replicas.iter()).map(|(server, replica)| {
            let worker = Worker {
                gateway: Arc::clone(gateway),
                replica: Arc::clone(replica),
                server,
                turn: Arc::clone(&turn),
                stop: Arc::clone(&stop),
                blocked: HashMap::new(),
                holding: None,
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
    /// Somebody holds a server.
    turn: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Adapters that failed, until when.
    blocked: HashMap<String, Instant>,
    /// Requests are kept away because adapters are loaded.
    holding: Option<Holding>,
}

/// Keeps requests away from a server until it is dropped; only one server at a time, so that the others can answer.
struct Holding {
    turn: Arc<AtomicBool>,
    replica: Arc<Replica>,
}

impl Holding {
    /// Waits for its turn; `None` when told to stop meanwhile.
    fn start(turn: &Arc<AtomicBool>, replica: &Arc<Replica>, who: Hold, stop: &AtomicBool) -> Option<Self> {
        while turn.swap(true, Ordering::SeqCst) {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            std::thread::sleep(TICK);
        }
        replica.hold(who);
        Some(Self { turn: Arc::clone(turn), replica: Arc::clone(replica) })
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.replica.hold(Hold::Nobody);
        self.turn.store(false, Ordering::SeqCst);
    }
}

impl Worker {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            while self.step() && !self.stop.load(Ordering::Relaxed) {}
            self.holding = None;
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
        if !matches!(step, Step::Load(_)) {
            self.holding = None;
        }
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

    /// Loading while adapters answer can mix up whose weights answer (vllm#47724), and the probe of a loaded adapter ends the
    /// worker of vLLM's CPU backend when it shares a step with another request: requests are kept away for the moment, those
    /// in work end, and only then it is loaded. Who waits, waits for all adapters that are loaded one after the other.
    fn load(&mut self, adapter: &AdapterRef) -> bool {
        let all = self.gateway.options.load_idle;
        if self.holding.is_none() {
            let who = if all { Hold::All } else { Hold::Adapters };
            self.holding = Holding::start(&self.turn, &self.replica, who, &self.stop);
        }
        let idle = self.holding.is_some()
            && self.wait(|r| if all { r.in_flight() == 0 } else { r.in_flight_of_all() == 0 });
        let outcome = if idle {
            self.server.host.load(adapter).map_err(|e| e.to_string())
        } else {
            Err("requests in work do not end".into())
        };
        match outcome {
            Ok(()) => self.replica.set_ready(&adapter.name, true),
            Err(error) => {
                tracing::warn!(server = %self.replica.address, adapter = adapter.name, "not routed to: {error}");
                self.gateway.metrics.adapter_errors.fetch_add(1, Ordering::Relaxed);
                self.blocked.insert(adapter.name.clone(), Instant::now() + BLOCKED);
                self.holding = None;
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
            std::thread::sleep(TICK);
        }
        true
    }
}
