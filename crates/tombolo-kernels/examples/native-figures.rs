//! What the kernels take natively: one line of JSON for each, on standard output.
//!
//! ```sh
//! cargo run --release -p tombolo-kernels --features rayon --example native-figures
//! ```
//!
//! Medians of nine runs after one that is not counted; `cpu_ms` is the time of the whole process on all
//! cores, `spread_ms` the distance between the quartiles of the wall time.
//!
//! # The input, so that others can make the same
//!
//! Numbers come from `state = state * 1664525 + 1013904223` modulo 2³², from state 1; `next` is the state
//! after a step, in JavaScript `state = (Math.imul(state, 1664525) + 1013904223) >>> 0`.
//!
//! - crc32: 64 MiB, byte `i` is `next >> 24`.
//! - matmul: `a`, then `b`, element `next / 2^32 - 0.5`, as `f32`.
//! - images: pixel after pixel, `next` little endian with its highest byte, alpha, made 255.
//! - rows: for `i` from 0 to 999 999, of three numbers `x`, `y`, `z` from `next` in this order,
//!   `{"id":I,"name":"user-N","score":S,"active":B,"group":"gG"}` with `I` = `i`, `N` = `x % 1000000`,
//!   `S` = `y % 1000000000 / 1000` with no zeros at its end (as JavaScript prints it), `B` = `true` if
//!   `z >= 2^31`, else `false`, and `G` = `i % 100`; commas and no spaces between rows, brackets around.
//!   Sorted by `score`, ascending. Every kernel's input begins from state 1 again.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use tombolo_kernels::blur::{Scratch, gaussian_blur};
use tombolo_kernels::crc32::crc32;
use tombolo_kernels::fibonacci::fibonacci;
use tombolo_kernels::json::{Direction, Key, sort_json};
use tombolo_kernels::matmul::{Shape, matmul_f32};
use tombolo_kernels::resample::{Normal, Size, preprocess};
use tombolo_kernels::{KernelError, Work};

const RUNS: usize = 9;
const FROM: Size = Size { width: 3840, height: 2160 };
const TO: Size = Size { width: 640, height: 640 };
const NORMAL: Normal = Normal { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    figures(&mut out, 1, &Work::ALONE)?;
    #[cfg(feature = "rayon")]
    {
        use tombolo_kernels::work::{Crew, Rayon};
        let work = Work { crew: &Rayon, watch: &tombolo_kernels::Silent };
        figures(&mut out, Rayon.size(), &work)?;
    }
    Ok(())
}

/// Measures everything; with several threads, what has use for them.
fn figures(out: &mut impl Write, threads: usize, work: &Work<'_>) -> Result<(), Box<dyn Error>> {
    let mut measure = |kernel: &str, what: &str, run: &mut dyn FnMut() -> Result<(), KernelError>| {
        report(out, kernel, what, threads, run)
    };
    if threads == 1 {
        measure("fibonacci", "fib(40)", &mut || fibonacci(std::hint::black_box(40)).map(drop))?;
        let bytes = numbers().map(|next| (next >> 24) as u8).take(64 << 20).collect::<Vec<_>>();
        measure("crc32", "64 MiB", &mut || {
            std::hint::black_box(crc32(0, &bytes));
            Ok(())
        })?;
    }
    let element = |next: u32| (f64::from(next) / 4_294_967_296.0 - 0.5) as f32;
    let ab = numbers().map(element).take(2_000_000).collect::<Vec<_>>();
    let (a, b) = ab.split_at(1_000_000);
    let mut c = vec![0.0; 1_000_000];
    let shape = Shape { m: 1000, k: 1000, n: 1000 };
    measure("matmul", "1000 f32", &mut || matmul_f32(a, b, &mut c, shape, work))?;

    let count = FROM.width * FROM.height;
    let mut pixels =
        numbers().take(count).flat_map(|next| (next | 0xFF00_0000).to_le_bytes()).collect::<Vec<_>>();
    let mut planes = vec![0.0; TO.width * TO.height * 3];
    measure("preprocess", "3840x2160 to 640x640", &mut || {
        preprocess(&pixels, FROM, &mut planes, TO, &NORMAL, work)
    })?;
    let mut scratch = Scratch::default();
    measure("blur", "4K sigma 3", &mut || {
        gaussian_blur(&mut pixels, FROM.width, FROM.height, 3.0, &mut scratch, work)
    })?;

    let text = rows(1_000_000)?;
    let key = Key::parse("score")?;
    measure("sort", "1000000 rows to permutation", &mut || {
        sort_json(text.as_bytes(), &key, Direction::Ascending, work).map(drop)
    })?;
    let mut sorted_text = vec![0; text.len()];
    measure("sort", "1000000 rows to bytes", &mut || {
        let sorted = sort_json(text.as_bytes(), &key, Direction::Ascending, work)?;
        sorted.write(text.as_bytes(), &mut sorted_text, work)
    })
}

/// Runs and prints one kernel's medians.
fn report(
    out: &mut impl Write,
    kernel: &str,
    what: &str,
    threads: usize,
    run: &mut dyn FnMut() -> Result<(), KernelError>,
) -> Result<(), Box<dyn Error>> {
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for round in 0..=RUNS {
        let (start, cpu) = (Instant::now(), cpu_ms());
        run()?;
        if round > 0 {
            walls.push(start.elapsed().as_secs_f64() * 1e3);
            cpus.push(cpu_ms() - cpu);
        }
    }
    walls.sort_by(f64::total_cmp);
    cpus.sort_by(f64::total_cmp);
    let (wall, cpu, spread) = (walls[RUNS / 2], cpus[RUNS / 2], walls[RUNS * 3 / 4] - walls[RUNS / 4]);
    writeln!(
        out,
        "{{\"kernel\":\"{kernel}\",\"what\":\"{what}\",\"threads\":{threads},\"wall_ms\":{wall:.2},\
         \"cpu_ms\":{cpu:.2},\"spread_ms\":{spread:.2}}}"
    )?;
    Ok(())
}

/// Time of this process on all cores.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The generator that the head of this file describes.
fn numbers() -> impl Iterator<Item = u32> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), next).skip(1)
}

/// The text of `count` rows.
fn rows(count: usize) -> Result<String, std::fmt::Error> {
    let mut numbers = numbers();
    let mut next = || numbers.next().unwrap_or(0);
    let mut text = String::with_capacity(count * 90);
    for id in 0..count {
        let (name, score, active) =
            (next() % 1_000_000, f64::from(next() % 1_000_000_000) / 1e3, next() >= 1 << 31);
        text.push(if id == 0 { '[' } else { ',' });
        let group = id % 100;
        write!(
            text,
            "{{\"id\":{id},\"name\":\"user-{name}\",\"score\":{score},\"active\":{active},\"group\":\"g{group}\"}}"
        )?;
    }
    text.push(']');
    Ok(text)
}
