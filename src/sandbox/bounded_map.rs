//! A map that keeps the newest entries.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map in order of insertion. It drops its oldest entries when it has too many, or when they hold
/// too much text.
pub(super) struct BoundedMap<K, V> {
    max_len: usize,
    entries: HashMap<K, V>,
    /// The keys, oldest first, each with the bytes of text in its entry.
    order: VecDeque<(K, usize)>,
    text_bytes: usize,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    pub(super) fn new(max_len: usize) -> Self {
        Self { max_len, entries: HashMap::new(), order: VecDeque::new(), text_bytes: 0 }
    }

    /// Adds an entry whose key is new. `text_bytes` counts the text whose length a caller chose.
    pub(super) fn insert(&mut self, key: K, value: V, text_bytes: usize) {
        self.order.push_back((key.clone(), text_bytes));
        self.text_bytes += text_bytes;
        self.entries.insert(key, value);
        while self.order.len() > self.max_len || self.text_bytes > MAX_TEXT_BYTES {
            let (oldest, text_bytes) = self.order.pop_front().expect("what is over a limit is not empty");
            self.text_bytes -= text_bytes;
            self.entries.remove(&oldest);
        }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key)
    }

    /// The entries, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.order.iter().map(|(key, _)| (key, self.entries.get(key).expect("each key has an entry")))
    }

    /// The values, oldest first.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

/// Names and URLs may be 64 KiB long, so that 10,000 of them would take 640 MiB.
pub(super) const MAX_TEXT_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_are_dropped_by_number_and_by_size() {
        let mut map = BoundedMap::new(3);
        for key in 0..4 {
            map.insert(key, key * 10, 0);
        }
        assert_eq!(map.values().collect::<Vec<_>>(), [&10, &20, &30]);
        assert_eq!((map.get(&0), map.get(&1)), (None, Some(&10)));

        map.insert(4, 40, MAX_TEXT_BYTES);
        assert_eq!(map.values().collect::<Vec<_>>(), [&20, &30, &40]);
        map.insert(5, 50, 1);
        assert_eq!(map.values().collect::<Vec<_>>(), [&50]);
        assert_eq!((map.entries.len(), map.text_bytes), (1, 1));
    }
}
