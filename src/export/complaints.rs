//! Saying a thing once: when an outage begins and when it ends, and each refusal the first time.

use std::collections::HashSet;
use std::time::Duration;

use crate::domain::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Timestamp>,
}

impl Outage {
    /// Whether this is how it begins.
    pub(super) fn fails(&mut self, now: Timestamp) -> bool {
        let begins = self.since.is_none();
        self.since.get_or_insert(now);
        begins
    }

    /// How long it has been, if it ends with this.
    pub(super) fn works(&mut self, now: Timestamp) -> Option<Duration> {
        let micros = now.micros_since(self.since.take()?);
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

#[derive(Debug, Default)]
pub(super) struct Once {
    said: HashSet<String>,
}

impl Once {
    /// A receiver that never says the same twice must not fill our memory; it may fill its own log.
    const MOST: usize = 64;

    pub(super) fn is_new(&mut self, message: &str) -> bool {
        if self.said.len() == Self::MOST && !self.said.contains(message) {
            self.said.clear();
        }
        self.said.insert(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixtures::at;

    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let mut outage = Outage::default();
        assert_eq!(outage.works(at(1)), None);
        assert_eq!((outage.fails(at(2)), outage.fails(at(3))), (true, false));
        assert_eq!(outage.works(at(62)), Some(Duration::from_mins(1)));
        assert_eq!((outage.works(at(63)), outage.fails(at(64))), (None, true));
    }

    #[test]
    fn a_message_is_told_once_and_memory_is_bounded() {
        let mut once = Once::default();
        assert_eq!((once.is_new("a"), once.is_new("a"), once.is_new("b")), (true, false, true));
        for i in 0..1_000 {
            once.is_new(&i.to_string());
        }
        assert!(once.said.len() <= Once::MOST);
    }
}
