//! What is seen while it runs: a bar on a terminal, elsewhere a line now and then.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::output::complain;
use super::tally::Tally;

const BETWEEN_LINES: Duration = Duration::from_secs(5);
const LOOK: &str = "{bar:32} {percent:>3} %  {msg}  {eta} left";

pub(super) struct Progress {
    /// Hidden unless standard error is a terminal.
    bar: ProgressBar,
    began: Instant,
    last_line: Instant,
}

impl Progress {
    /// `total`: in whatever [`Progress::at`] tells.
    pub(super) fn new(total: u64) -> Self {
        let bar = ProgressBar::new(total);
        // drawn as it is built in when the look is no good
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            bar.set_style(style);
        }
        Self { bar, began: Instant::now(), last_line: Instant::now() }
    }

    pub(super) fn at(&mut self, done: u64, tally: Tally) {
        let words = format!("{} lines, {} refused", tally.lines, tally.refused);
        if self.bar.is_hidden() && self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            let percent = done * 100 / self.bar.length().unwrap_or(0).max(1);
            complain(&format!("{words} ({percent} %)"));
        }
        self.bar.set_message(words);
        self.bar.set_position(done);
    }

    /// A line that stays.
    pub(super) fn complain(&self, text: &str) {
        self.bar.suspend(|| complain(text));
    }

    /// Seconds since the beginning.
    pub(super) fn end(&self) -> f64 {
        self.bar.finish_and_clear();
        self.began.elapsed().as_secs_f64()
    }
}
