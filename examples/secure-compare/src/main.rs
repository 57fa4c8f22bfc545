//! Compares a secret in two ways and measures whether the time taken tells anything about it.
//!
//! The README says why; `leak.rs` is the method.

mod leak;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use leak::{Class, LeakTest, Verdict};
use subtle::ConstantTimeEq;

/// Long enough that the way to the last byte shows, short enough for the first level of cache.
const SECRET_BYTES: usize = 1024;
/// Samples between two looks at the clock, and in the first, thrown away, which sets the crops.
const BATCH: usize = 2_000;
/// Samples before a verdict, and the most before giving up; doubled in between.
const SAMPLES_MIN: usize = 40_000;
const SAMPLES_MAX: usize = 320_000;
/// The end of one variant, whatever it has by then.
const TIME_MAX: Duration = Duration::from_secs(9);
/// One sample lasts at least so many steps of the clock.
const STEPS_MIN: u32 = 50;

struct Variant {
    name: &'static str,
    equal: fn(&[u8], &[u8]) -> bool,
}

const EARLY_EXIT: Variant = Variant { name: "early exit, ==", equal: early_exit };
const CONSTANT_TIME: Variant = Variant { name: "constant time, subtle", equal: constant_time };

/// Stops at the first byte that differs.
#[inline(never)]
fn early_exit(secret: &[u8], guess: &[u8]) -> bool {
    secret == guess
}

/// Reads every byte, whatever it finds.
#[inline(never)]
fn constant_time(secret: &[u8], guess: &[u8]) -> bool {
    secret.ct_eq(guess).into()
}

fn main() -> ExitCode {
    let mut random = Random::new();
    let mut secret = vec![0; SECRET_BYTES];
    random.fill(&mut secret);
    let step = clock_step();
    println!("a secret of {SECRET_BYTES} bytes, a clock with steps of {} ns", step.as_nanos());
    println!("{:<22} {:>8} {:>10}   verdict", "variant", "samples", "|t|");
    let [early, constant] = [EARLY_EXIT, CONSTANT_TIME].map(|variant| {
        let (test, verdict) = measure(&variant, &secret, step, &mut random);
        println!("{:<22} {:>8} {:>10.1}   {verdict}", variant.name, test.samples(), test.t());
        verdict
    });
    match (early, constant) {
        (Verdict::Leaks, Verdict::Clean) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Takes samples until the verdict is clear or the bounds are reached. Every sample counts: a result
/// in doubt is not thrown away and tried again, it gets twice the samples.
fn measure(variant: &Variant, secret: &[u8], step: Duration, random: &mut Random) -> (LeakTest, Verdict) {
    let started = Instant::now();
    let repeats = repeats(variant, secret, step);
    let first = batch(variant, secret, repeats, random);
    let mut test = LeakTest::new(first.into_iter().map(|(_, took)| took).collect());
    let mut samples_wanted = SAMPLES_MIN;
    loop {
        for (class, took) in batch(variant, secret, repeats, random) {
            test.add(class, took);
        }
        let is_late = started.elapsed() > TIME_MAX;
        if test.samples() < samples_wanted && !is_late {
            continue;
        }
        let verdict = if test.samples() < SAMPLES_MIN { Verdict::Unsure } else { test.verdict() };
        if verdict != Verdict::Unsure || samples_wanted >= SAMPLES_MAX || is_late {
            return (test, verdict);
        }
        samples_wanted *= 2;
    }
}

/// How long comparisons of one batch took, with their classes in random order.
fn batch(variant: &Variant, secret: &[u8], repeats: u32, random: &mut Random) -> Vec<(Class, f64)> {
    // All are made before any is measured, and each is measured in the same place: what goes before
    // a measurement is the same for both classes.
    let guesses: Vec<(Class, Vec<u8>)> = (0..BATCH).map(|_| guess(secret, random)).collect();
    let mut place = vec![0; secret.len()];
    let sample = |(class, guess): &(Class, Vec<u8>)| {
        place.copy_from_slice(guess);
        (*class, time(variant, secret, &place, repeats).as_nanos() as f64)
    };
    guesses.iter().map(sample).collect()
}

/// A wrong guess: right but for the last byte, or wrong from the first.
fn guess(secret: &[u8], random: &mut Random) -> (Class, Vec<u8>) {
    let mut guess = vec![0; secret.len()];
    random.fill(&mut guess);
    if random.next() & 1 == 0 {
        guess[0] = !secret[0];
        return (Class::WrongAtFirst, guess);
    }
    guess.copy_from_slice(secret);
    guess[secret.len() - 1] ^= 1;
    (Class::WrongAtLast, guess)
}

/// One sample: so many comparisons in a row, since one alone may be shorter than a step of the clock.
fn time(variant: &Variant, secret: &[u8], guess: &[u8], repeats: u32) -> Duration {
    let started = Instant::now();
    for _ in 0..repeats {
        black_box((variant.equal)(black_box(secret), black_box(guess)));
    }
    started.elapsed()
}

fn repeats(variant: &Variant, secret: &[u8], step: Duration) -> u32 {
    let mut guess = secret.to_vec();
    guess[secret.len() - 1] ^= 1;
    let doubled = (0..10).map(|power| 1 << power);
    let mut long_enough =
        doubled.filter(|&repeats| time(variant, secret, &guess, repeats) > step * STEPS_MIN);
    long_enough.next().unwrap_or(1024)
}

/// The smallest difference that the clock shows, the cost of asking it included.
fn clock_step() -> Duration {
    let differences = (0..1000).map(|_| {
        let started = Instant::now();
        started.elapsed()
    });
    differences.filter(|step| !step.is_zero()).min().unwrap_or(Duration::from_nanos(1))
}

/// xorshift64*: good enough to mix two classes, and seeded by the host. Not for keys.
struct Random(u64);

impl Random {
    fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        Self(std::hash::RandomState::new().build_hasher().finish() | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        // The low bits of a product are its worst.
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next() as u8;
        }
    }
}
