//! A bounded memory of what was computed: two generations, of which the older is forgotten when the younger is full. What is
//! used stays.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The cache. Holds between `capacity` / 2 and `capacity` entries once it is full.
pub(super) struct Cache<K, V> {
    half: usize,
    generations: Mutex<[HashMap<K, V>; 2]>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), generations: Mutex::default() }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations[0].get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations[1].remove_entry(key)?;
        self.put(&mut generations, key, value.clone());
        Some(value)
    }

    pub(super) fn insert(&self, key: K, value: V) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut generations, key, value);
    }

    fn put(&self, generations: &mut [HashMap<K, V>; 2], key: K, value: V) {
        if generations[0].len() >= self.half {
            generations.swap(0, 1);
            generations[0].clear();
        }
        generations[0].insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_small_and_keeps_what_is_used() {
        let cache = Cache::new(10);
        cache.insert(0, "zero");
        for i in 1..100 {
            cache.insert(i, "other");
            assert_eq!(cache.get(&0), Some("zero"), "{i}");
            let generations = cache.generations.lock().unwrap();
            assert!(generations[0].len() + generations[1].len() <= 10);
        }
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&99), Some("other"));
    }
}
