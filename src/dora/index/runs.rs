//! Values by time: sorted, in chunks, so that one in the middle is put in or taken out at little cost, and so
//! that the values between two times lie in memory as slices.

use std::iter;

/// Values in a chunk at most.
const CHUNK: usize = 1024;

/// A sorted collection of times with a value each (`()`: times alone). The same may be there several times.
#[derive(Debug)]
pub struct Runs<V> {
    /// None are empty.
    chunks: Vec<Chunk<V>>,
}

#[derive(Debug)]
struct Chunk<V> {
    at: Vec<i64>,
    values: Vec<V>,
}

/// Between two entries, or at either end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    chunk: usize,
    offset: usize,
}

impl<V> Default for Runs<V> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<V: Copy + Ord> Runs<V> {
    pub fn put(&mut self, at: i64, value: V) {
        let next = self.chunks.partition_point(|chunk| chunk.first() <= (at, value));
        let Some(index) = next.checked_sub(1) else {
            match self.chunks.first_mut() {
                Some(first) if first.at.len() < CHUNK => first.insert(0, at, value),
                _ => self.chunks.insert(0, Chunk::of(at, value)),
            }
            return;
        };
        let chunk = &mut self.chunks[index];
        let offset = chunk.offset(at, value, |mine, wanted| mine <= wanted);
        if chunk.at.len() < CHUNK {
            chunk.insert(offset, at, value);
        } else if offset == CHUNK {
            // mostly the newest of all: chunks that are only added to stay full
            self.chunks.insert(next, Chunk::of(at, value));
        } else {
            let mut upper = chunk.split();
            match offset.checked_sub(chunk.at.len()) {
                Some(offset) => upper.insert(offset, at, value),
                None => chunk.insert(offset, at, value),
            }
            self.chunks.insert(next, upper);
        }
    }

    /// Takes one such entry out; whether there was one.
    #[must_use]
    pub fn take(&mut self, at: i64, value: V) -> bool {
        let next = self.chunks.partition_point(|chunk| chunk.first() <= (at, value));
        let Some(index) = next.checked_sub(1) else { return false };
        let chunk = &mut self.chunks[index];
        let offset = chunk.offset(at, value, |mine, wanted| mine < wanted);
        if chunk.entry(offset) != Some((at, value)) {
            return false;
        }
        chunk.at.remove(offset);
        chunk.values.remove(offset);
        if chunk.at.is_empty() {
            self.chunks.remove(index);
        }
        true
    }

    /// Before the first entry that is not before this time.
    pub fn place(&self, at: i64) -> Place {
        let chunk = self.chunks.partition_point(|chunk| chunk.at.last().is_some_and(|last| *last < at));
        let offset = self.chunks.get(chunk).map_or(0, |chunk| chunk.at.partition_point(|mine| *mine < at));
        Place { chunk, offset }
    }

    /// The time of the entry behind a place.
    pub fn time(&self, place: Place) -> Option<i64> {
        self.chunks.get(place.chunk)?.at.get(place.offset).copied()
    }

    pub fn has_between(&self, from: i64, to: i64) -> bool {
        self.time(self.place(from)).is_some_and(|at| at < to)
    }

    /// How many entries lie between two places.
    pub fn count(&self, from: Place, to: Place) -> usize {
        let whole: usize = self.chunks[from.chunk..to.chunk].iter().map(|chunk| chunk.at.len()).sum();
        whole + to.offset - from.offset
    }

    /// How many entries lie before a time.
    pub fn count_before(&self, at: i64) -> usize {
        self.count(Place { chunk: 0, offset: 0 }, self.place(at))
    }

    /// The values between two places, in order of time.
    pub fn values(&self, from: Place, to: Place) -> impl Iterator<Item = &[V]> {
        let part = move |index: usize| {
            let values = &self.chunks[index].values;
            let start = if index == from.chunk { from.offset } else { 0 };
            let end = if index == to.chunk { to.offset } else { values.len() };
            &values[start..end]
        };
        // behind the last chunk there is none to cut
        let last = iter::once(to.chunk).filter(move |index| *index < self.chunks.len());
        (from.chunk..to.chunk).chain(last).map(part).filter(|values| !values.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Memory in use.
    pub fn bytes(&self) -> usize {
        let of_chunk =
            |chunk: &Chunk<V>| chunk.at.capacity() * size_of::<i64>() + chunk.values.capacity() * size_of::<V>();
        self.chunks.iter().map(of_chunk).sum::<usize>() + self.chunks.capacity() * size_of::<Chunk<V>>()
    }
}

impl<V: Copy + Ord> Chunk<V> {
    fn of(at: i64, value: V) -> Self {
        Self { at: vec![at], values: vec![value] }
    }

    fn entry(&self, offset: usize) -> Option<(i64, V)> {
        Some((*self.at.get(offset)?, *self.values.get(offset)?))
    }

    fn first(&self) -> (i64, V) {
        (self.at[0], self.values[0])
    }

    /// The first entry that does not stand so to the wanted one.
    fn offset(&self, at: i64, value: V, stands: impl Fn((i64, V), (i64, V)) -> bool) -> usize {
        let start = self.at.partition_point(|mine| *mine < at);
        let same = self.at[start..].partition_point(|mine| *mine == at);
        start + self.values[start..start + same].partition_point(|mine| stands((at, *mine), (at, value)))
    }

    fn insert(&mut self, offset: usize, at: i64, value: V) {
        self.at.insert(offset, at);
        self.values.insert(offset, value);
    }

    /// Gives the upper half away.
    fn split(&mut self) -> Self {
        let half = self.at.len() / 2;
        let upper = Self { at: self.at.split_off(half), values: self.values.split_off(half) };
        self.at.shrink_to_fit();
        self.values.shrink_to_fit();
        upper
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn runs_are_sorted_vectors(
            seed in any::<u64>(), n in 0..6000_usize, times in prop::sample::select(vec![3_i64, 500, 1_000_000]), ordered: bool,
        ) {
            use rand::{RngExt as _, SeedableRng as _, seq::SliceRandom as _};
            let mut random = rand::rngs::StdRng::seed_from_u64(seed);
            let mut entries: Vec<(i64, i64)> =
                (0..n).map(|_| (random.random_range(0..times), random.random_range(0..50))).collect();
            if ordered {
                entries.sort_unstable();
            }
            let mut runs = Runs::default();
            for (at, value) in &entries {
                runs.put(*at, *value);
            }
            entries.shuffle(&mut random);
            for (at, value) in entries.split_off(n - n / 3) {
                prop_assert!(runs.take(at, value));
            }
            prop_assert!(!runs.take(times, 0));
            prop_assert!(!runs.take(1, 51));
            entries.sort_unstable();
            for _ in 0..20 {
                let (a, b) = (random.random_range(-1..=times + 1), random.random_range(-1..=times + 1));
                let (from, to) = (runs.place(a.min(b)), runs.place(a.max(b)));
                let expected: Vec<_> = entries.iter().filter(|(at, _)| (a.min(b)..a.max(b)).contains(at)).collect();
                prop_assert_eq!(runs.count(from, to), expected.len());
                let values: Vec<_> = runs.values(from, to).flatten().copied().collect();
                prop_assert_eq!(values, expected.iter().map(|(_, value)| *value).collect::<Vec<_>>());
                prop_assert_eq!(runs.count_before(a), entries.iter().filter(|(at, _)| *at < a).count());
                prop_assert_eq!(runs.time(runs.place(a)), entries.iter().map(|(at, _)| *at).find(|at| *at >= a));
            }
        }
    }

    #[test]
    fn what_comes_in_order_leaves_no_room_unused() {
        let mut runs = Runs::default();
        for n in 0..100_000 {
            runs.put(n, n);
        }
        assert!(runs.bytes() < 100_000 * 17, "{}", runs.bytes());
    }
}
