//! Saying a thing once: an outage when it begins, now and then while it lasts and when it ends, and each
//! refusal the first time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often an outage that lasts is told again, by those who tell it again.
const REMINDER: Duration = Duration::from_mins(1);
/// Without a failure, for what may work once in the middle of an outage; and longer than it may be from one look of a
/// supervisor to the next, who may be the only one to ask.
const SETTLED: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Outage {
    since: Option<Instant>,
    failed: Option<Instant>,
    /// When it was last told, and how many failures were not.
    told: Option<Instant>,
    untold: u64,
}

/// What there is to say about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    Begins,
    /// It has been a while since something was said, and so many failures with this one.
    GoesOn {
        failures: u64,
    },
    Nothing,
}

impl Outage {
    pub fn fails(&mut self, now: Instant) -> Complaint {
        self.untold += 1;
        self.failed = Some(now);
        let complaint = match self.told {
            None => Complaint::Begins,
            Some(told) if now.duration_since(told) >= REMINDER => Complaint::GoesOn { failures: self.untold },
            Some(_) => return Complaint::Nothing,
        };
        self.since.get_or_insert(now);
        (self.told, self.untold) = (Some(now), 0);
        complaint
    }

    /// How long it has been, if it ends with this.
    pub fn works(&mut self, now: Instant) -> Option<Duration> {
        let ended = std::mem::take(self);
        Some(now.duration_since(ended.since?))
    }

    /// The same where one success is no end: only after some time without a failure.
    pub fn settles(&mut self, now: Instant) -> Option<Duration> {
        if now.duration_since(self.failed?) < SETTLED { None } else { self.works(now) }
    }

    pub fn lasts(&self) -> bool {
        self.since.is_some()
    }
}

/// An outage that many find out about, each in a request of its own, and nobody sees the end of: it has
/// ended when nobody has complained for a while.
#[derive(Debug, Default)]
pub struct Crowd(Mutex<Outage>);

impl Crowd {
    pub fn fails(&self, now: Instant) -> Complaint {
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = outage.settles(now);
        outage.fails(now)
    }
}

#[derive(Debug, Default)]
pub struct Once {
    said: HashSet<String>,
}

impl Once {
    /// A receiver that never says the same twice must not fill our memory; it may fill its own log.
    const MOST: usize = 64;

    pub fn is_new(&mut self, message: &str) -> bool {
        if self.said.len() == Self::MOST && !self.said.contains(message) {
            self.said.clear();
        }
        self.said.insert(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_when_it_begins_every_minute_and_when_it_ends() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert_eq!((outage.works(at(1)), outage.lasts()), (None, false));
        assert_eq!((outage.fails(at(2)), outage.fails(at(3))), (Complaint::Begins, Complaint::Nothing));
        assert_eq!(
            (outage.fails(at(61)), outage.fails(at(62))),
            (Complaint::Nothing, Complaint::GoesOn { failures: 3 })
        );
        assert_eq!(outage.fails(at(63)), Complaint::Nothing);
        assert_eq!((outage.lasts(), outage.works(at(92))), (true, Some(Duration::from_secs(90))));
        assert_eq!((outage.works(at(93)), outage.fails(at(94))), (None, Complaint::Begins));
        assert_eq!((outage.settles(at(123)), outage.settles(at(124))), (None, Some(Duration::from_secs(30))));
        assert_eq!(outage.settles(at(140)), None);
    }

    #[test]
    fn of_many_who_find_out_the_first_is_heard_and_one_a_minute() {
        let start = Instant::now();
        let crowd = Crowd::default();
        let said = |range: std::ops::Range<u64>| -> Vec<_> {
            let all = range.map(|n| crowd.fails(start + Duration::from_millis(100 * n)));
            all.filter(|complaint| *complaint != Complaint::Nothing).collect()
        };
        assert_eq!(said(0..700), [Complaint::Begins, Complaint::GoesOn { failures: 600 }]);
        assert_eq!(said(1010..1020), [Complaint::Begins]);
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
