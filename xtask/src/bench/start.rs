//! From exec to the first answer.

use std::time::Instant;

use super::median;
use super::server::{Kind, Setup};

/// Each server started so many times, in turn, with everything that can be compiled before compiled.
pub(crate) fn table(setup: &Setup, starts: u32) -> Result<String, String> {
    let mut took = vec![Vec::new(); Kind::STARTED.len()];
    for _ in 0..starts {
        for (place, kind) in Kind::STARTED.into_iter().enumerate() {
            let started = Instant::now();
            let server = setup.start(kind)?;
            took[place].push(started.elapsed().as_secs_f64() * 1000.0);
            drop(server);
        }
    }
    let mut text = String::from("| server | ms, median | ms, least |\n|---|---|---|\n");
    for (kind, took) in Kind::STARTED.into_iter().zip(&took) {
        let least = took.iter().copied().fold(f64::INFINITY, f64::min);
        text += &format!("| {} | {:.1} | {least:.1} |\n", kind.name(), median(took.iter().copied()));
    }
    Ok(text)
}
