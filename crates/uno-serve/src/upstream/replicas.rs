//! The choice among several servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Address, Lease, Replica};

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

    /// The server with the fewest requests in flight, those that are down last; one that is not in `tried`. Waits while
    /// all of them are held.
    pub async fn pick(&self, tried: &[Arc<Replica>]) -> Option<Lease> {
        let fits = |r: &Arc<Replica>| !tried.iter().any(|t| Arc::ptr_eq(t, r));
        loop {
            let Some(free) = self.least(|r| fits(r) && !r.is_held(false)) else {
                self.least(fits)?.until_free(false).await;
                continue;
            };
            let lease = Lease::new(free, None);
            // Whoever holds a server first says so and then waits for the count: look again now that we are counted.
            if !lease.replica().is_held(false) {
                return Some(lease);
            }
        }
    }

    /// A server on which `adapter` is ready. Waits while all of them are held.
    pub async fn pick_with(&self, adapter: &str) -> Option<Lease> {
        let fits = |r: &Arc<Replica>| !r.is_down() && r.is_ready(adapter);
        loop {
            let Some(free) = self.least(|r| fits(r) && !r.is_held(true)) else {
                self.least(fits)?.until_free(true).await;
                continue;
            };
            let lease = Lease::new(free, Some(adapter.into()));
            // Unloading, too, takes the mark away first and then waits for the count.
            if !lease.replica().is_ready(adapter) {
                return None;
            }
            if !lease.replica().is_held(true) {
                return Some(lease);
            }
        }
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
    use futures::FutureExt;

    use super::super::Hold;
    use super::*;

    fn replicas(n: usize) -> Replicas {
        Replicas::new((0..n).map(|i| Address::parse(&format!("http://h{i}/v1")).unwrap()).collect())
    }

    /// What is there without waiting.
    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    #[test]
    fn the_least_busy_server_that_is_up_is_chosen() {
        let replicas = replicas(3);
        let leases: Vec<Lease> = (0..6).map(|_| now(replicas.pick(&[])).unwrap()).collect();
        assert!(replicas.iter().all(|r| r.in_flight() == 2));
        let first = replicas.iter().next().unwrap().clone();
        first.set_down(true);
        drop(leases);
        assert_eq!(first.in_flight(), 0);
        assert!((0..9).all(|_| !Arc::ptr_eq(now(replicas.pick(&[])).unwrap().replica(), &first)));
        let others: Vec<_> = replicas.iter().skip(1).cloned().collect();
        assert!(Arc::ptr_eq(now(replicas.pick(&others)).unwrap().replica(), &first), "better than none");
        let all: Vec<_> = replicas.iter().cloned().collect();
        assert!(now(replicas.pick(&all)).is_none());
    }

    #[test]
    fn adapters_are_counted_where_they_are_ready() {
        let replicas = replicas(2);
        assert!(now(replicas.pick_with("a")).is_none());
        let second = replicas.iter().nth(1).unwrap().clone();
        second.set_ready("a", true);
        let lease = now(replicas.pick_with("a")).unwrap();
        assert!(Arc::ptr_eq(lease.replica(), &second));
        assert_eq!((second.in_flight_of("a"), second.in_flight()), (1, 1));
        drop(lease);
        assert_eq!((second.in_flight_of("a"), second.in_flight()), (0, 0));
        second.set_ready("a", false);
        assert!(now(replicas.pick_with("a")).is_none());
    }

    #[tokio::test]
    async fn whoever_comes_to_a_held_server_waits_and_is_served_elsewhere_if_possible() {
        let replicas = replicas(2);
        let all: Vec<_> = replicas.iter().cloned().collect();
        all.iter().for_each(|r| r.set_ready("a", true));
        all[0].hold(Hold::All);
        for _ in 0..4 {
            assert!(Arc::ptr_eq(now(replicas.pick(&[])).unwrap().replica(), &all[1]));
            assert!(Arc::ptr_eq(now(replicas.pick_with("a")).unwrap().replica(), &all[1]));
        }
        all[1].hold(Hold::Adapters);
        assert!(Arc::ptr_eq(now(replicas.pick(&[])).unwrap().replica(), &all[1]), "the base model may");
        let waiting = replicas.pick_with("a");
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!((all[0].in_flight(), all[1].in_flight()), (0, 0), "who waits is not in flight");
        all[0].hold(Hold::Nobody);
        assert!(Arc::ptr_eq(waiting.await.unwrap().replica(), &all[0]));
    }
}
