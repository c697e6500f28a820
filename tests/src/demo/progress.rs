//! A progress bar on a terminal, a plain line elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::text::thousands;

/// How far one piece of work is. A drop removes the bar, also when the work is interrupted.
#[derive(Debug)]
pub struct Progress {
    label: &'static str,
    bar: Option<ProgressBar>,
    done: AtomicUsize,
    started: Instant,
}

impl Progress {
    /// Begins a piece of work of so many requests.
    pub fn new(label: &'static str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("  {bar:40} {human_pos:>7} of {human_len} requests  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX)).with_style(style);
            bar.with_message(label)
        });
        Self { label, bar, done: AtomicUsize::new(0), started: Instant::now() }
    }

    /// One request more is answered.
    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Requests answered until now.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// The work is done: the bar gives way to a line.
    pub fn finish(&self) {
        self.clear();
        let took = self.started.elapsed().as_secs_f64();
        println!("  {}: {} requests to each in {took:.1} s", self.label, thousands(self.done()));
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
