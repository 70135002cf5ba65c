//! One server, and the choice among several.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::wire::Idle;
use super::{Address, Lease};

/// A server and what is known about it.
pub struct Replica {
    /// Where it is.
    pub address: Address,
    /// Requests it works on for us.
    pub(super) in_flight: AtomicUsize,
    /// It could not be reached; asked only when all are down, and by the health check.
    down: AtomicBool,
    adapters: Mutex<Adapters>,
    /// Connections that wait for their next request.
    pub(super) idle: Idle,
    /// A request ended.
    pub drained: Notify,
}

/// The adapters of a server.
#[derive(Default)]
pub(super) struct Adapters {
    /// Loaded and probed: may be routed to.
    pub(super) ready: HashSet<Arc<str>>,
    pub(super) in_flight: HashMap<Arc<str>, usize>,
}

impl Replica {
    /// A server that is taken for well until it shows otherwise.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            in_flight: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            adapters: Mutex::default(),
            idle: Idle::default(),
            drained: Notify::new(),
        }
    }

    pub(super) fn adapters(&self) -> MutexGuard<'_, Adapters> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it could not be reached last time.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Notes whether it could be reached.
    pub fn set_down(&self, down: bool) {
        if self.down.load(Ordering::Relaxed) != down {
            self.down.store(down, Ordering::Relaxed);
        }
    }

    /// Closes connections that are no longer of use.
    pub fn sweep(&self) {
        self.idle.sweep();
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests in flight for an adapter.
    pub fn in_flight_of(&self, adapter: &str) -> usize {
        self.adapters().in_flight.get(adapter).copied().unwrap_or(0)
    }

    /// Requests in flight for any adapter.
    pub fn in_flight_of_all(&self) -> usize {
        self.adapters().in_flight.values().sum()
    }

    /// From now on (or no longer) requests are routed to the adapter here.
    pub fn set_ready(&self, adapter: &str, ready: bool) {
        let mut adapters = self.adapters();
        if ready {
            adapters.ready.insert(adapter.into());
        } else {
            adapters.ready.remove(adapter);
        }
    }

    /// Adapters that may be routed to, sorted.
    pub fn ready(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.adapters().ready.iter().cloned().collect();
        names.sort();
        names
    }

    /// Whether the adapter may be routed to here.
    pub fn is_ready(&self, adapter: &str) -> bool {
        self.adapters().ready.contains(adapter)
    }
}

/// All servers.
pub struct Replicas {
    all: Vec<Arc<Replica>>,
    turn: AtomicUsize,
}

impl Replicas {
    /// These servers.
    pub fn new(addresses: Vec<Address>) -> Self {
        let all = addresses.into_iter().map(|a| Arc::new(Replica::new(a))).collect();
        Self { all, turn: AtomicUsize::new(0) }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Replica>> {
        self.all.iter()
    }

    /// The server with the fewest requests in flight, those that are down last; one that is not in `tried`.
    pub fn pick(&self, tried: &[Arc<Replica>]) -> Option<Lease> {
        self.least(|r| !tried.iter().any(|t| Arc::ptr_eq(t, r))).map(|r| Lease::new(r, None))
    }

    /// A server on which `adapter` is ready.
    pub fn pick_with(&self, adapter: &str) -> Option<Lease> {
        let replica = self.least(|r| !r.is_down() && r.is_ready(adapter))?;
        let lease = Lease::new(replica, Some(adapter.into()));
        // Unloading takes the mark away first and then waits for the count: look again now that we are counted.
        lease.replica().is_ready(adapter).then_some(lease)
    }

    fn least(&self, fits: impl Fn(&Arc<Replica>) -> bool) -> Option<Arc<Replica>> {
        if let [only] = self.all.as_slice() {
            return fits(only).then(|| only.clone());
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let n = self.all.len();
        let turned = (0..n).map(|i| &self.all[first.wrapping_add(i) % n]);
        turned.filter(|r| fits(r)).min_by_key(|r| (r.is_down(), r.in_flight())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(n: usize) -> Replicas {
        Replicas::new((0..n).map(|i| Address::parse(&format!("http://h{i}/v1")).unwrap()).collect())
    }

    #[test]
    fn the_least_busy_server_that_is_up_is_chosen() {
        let replicas = replicas(3);
        let leases: Vec<Lease> = (0..6).map(|_| replicas.pick(&[]).unwrap()).collect();
        assert!(replicas.iter().all(|r| r.in_flight() == 2));
        let first = replicas.iter().next().unwrap().clone();
        first.set_down(true);
        drop(leases);
        assert_eq!(first.in_flight(), 0);
        assert!((0..9).all(|_| !Arc::ptr_eq(replicas.pick(&[]).unwrap().replica(), &first)));
        let others: Vec<_> = replicas.iter().skip(1).cloned().collect();
        assert!(Arc::ptr_eq(replicas.pick(&others).unwrap().replica(), &first), "better than none");
        let all: Vec<_> = replicas.iter().cloned().collect();
        assert!(replicas.pick(&all).is_none());
    }

    #[test]
    fn adapters_are_counted_where_they_are_ready() {
        let replicas = replicas(2);
        assert!(replicas.pick_with("a").is_none());
        let second = replicas.iter().nth(1).unwrap().clone();
        second.set_ready("a", true);
        let lease = replicas.pick_with("a").unwrap();
        assert!(Arc::ptr_eq(lease.replica(), &second));
        assert_eq!((second.in_flight_of("a"), second.in_flight()), (1, 1));
        drop(lease);
        assert_eq!((second.in_flight_of("a"), second.in_flight()), (0, 0));
        second.set_ready("a", false);
        assert!(replicas.pick_with("a").is_none());
    }
}
