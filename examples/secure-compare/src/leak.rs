//! Whether two classes of measurements differ: dudect.
//!
//! Source: Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2016. Two classes of
//! input are measured in random order, so that whatever else the machine does falls on both alike.
//! Welch's t says by how many standard errors their means differ. Interrupts and the like make long
//! tails that hide small differences, so the test is also done on what is left below each of several
//! thresholds, and the largest |t| counts.

use std::fmt;

/// Thresholds, set by the first measurements. The paper's authors use as many.
const CROPS: usize = 100;
/// Below so many measurements in a class, t is left to chance.
const CLASS_MIN: f64 = 1_000.0;

#[derive(Clone, Copy)]
pub enum Class {
    WrongAtFirst,
    WrongAtLast,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// |t| above 10.
    Leaks,
    /// |t| from 4.5 to 10, or too few samples.
    Unsure,
    /// |t| below 4.5. It proves nothing: a smaller leak needs more samples.
    Clean,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaks => "leaks",
            Self::Unsure => "unsure",
            Self::Clean => "no leak found",
        })
    }
}

pub struct LeakTest {
    /// Each with the two classes of what is not longer than it. The last is infinite.
    crops: Vec<(f64, [Moments; 2])>,
    samples: usize,
}

impl LeakTest {
    /// `first` sets the thresholds and is not counted.
    pub fn new(mut first: Vec<f64>) -> Self {
        first.sort_by(f64::total_cmp);
        // Denser towards the top: the k-th leaves 0.5^(k/10) of the measurements above it.
        let at = |crop: usize| 1.0 - 0.5_f64.powf(10.0 * (crop + 1) as f64 / CROPS as f64);
        let threshold = |crop: usize| first[(at(crop) * (first.len() - 1) as f64) as usize];
        let thresholds = (0..CROPS).map(threshold).chain([f64::INFINITY]);
        Self { crops: thresholds.map(|threshold| (threshold, Default::default())).collect(), samples: 0 }
    }

    pub fn add(&mut self, class: Class, took: f64) {
        self.samples += 1;
        for (threshold, classes) in &mut self.crops {
            if took <= *threshold {
                classes[class as usize].add(took);
            }
        }
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The largest |t| of all crops.
    pub fn t(&self) -> f64 {
        let t = self.crops.iter().filter_map(|(_, [first, last])| first.t(last));
        t.fold(0.0, |largest, t| largest.max(t.abs()))
    }

    pub fn verdict(&self) -> Verdict {
        match self.t() {
            t if t > 10.0 => Verdict::Leaks,
            t if t > 4.5 => Verdict::Unsure,
            _ => Verdict::Clean,
        }
    }
}

/// Number, mean and sum of squared deviations, kept up to date (Welford).
#[derive(Default)]
struct Moments {
    number: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.number += 1.0;
        let deviation = value - self.mean;
        self.mean += deviation / self.number;
        self.squares += deviation * (value - self.mean);
    }

    /// Welch's t of two classes; none if one has too few measurements.
    fn t(&self, other: &Self) -> Option<f64> {
        if self.number.min(other.number) < CLASS_MIN {
            return None;
        }
        let error = |class: &Self| class.squares / (class.number - 1.0) / class.number;
        let both = error(self) + error(other);
        let difference = self.mean - other.mean;
        // Where a coarse clock shows no variance at all, equal means are no difference.
        Some(if difference == 0.0 { 0.0 } else { difference / both.sqrt() })
    }
}
