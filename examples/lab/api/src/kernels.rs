//! One function for each kernel: parameters and body in, answer out.

use std::time::{Duration, Instant};

use serde_json::json;
use tombolo_kernels::blur::{SIGMA_MAX, Scratch, gaussian_blur};
use tombolo_kernels::json::{Direction, Key, sort_json};
use tombolo_kernels::matmul::{Shape, matmul_f32};
use tombolo_kernels::{KernelError, Work};
use wstd::http::{Body, Response};

use crate::Refusal;
use crate::body::{self, Length};
use crate::query::Query;

type Answer = Result<Response<Body>, Refusal>;

/// Some seconds of recursion.
const FIBONACCI_MAX: u32 = 45;
/// Pixels along a side, and in all: those of a photograph, with room for the blur's scratch.
const SIDE_MAX: usize = 16_384;
const PIXELS_MAX: usize = 32 << 20;
/// A text, its rows and the sorted text fit in memory together.
const JSON_BYTES_MAX: usize = 160 << 20;
/// Rows or columns of a matrix: some seconds of products.
const DIMENSION_MAX: usize = 2048;

pub(crate) fn fibonacci(query: &Query) -> Answer {
    query.only(&["n"])?;
    let n = query.number("n", 0..=FIBONACCI_MAX)?;
    let (result, took) = timed(|| tombolo_kernels::fibonacci::fibonacci(n));
    let result = result.map_err(refuse)?;
    // Text, as JavaScript's numbers end at 2^53.
    answer_json(&json!({ "result": result.to_string(), "computeMs": ms(took) }))
}

pub(crate) async fn crc32(query: &Query, body: Body) -> Answer {
    query.only(&[])?;
    let (mut state, mut bytes, mut took) = (0, 0_u64, Duration::ZERO);
    body::each(body, |piece| {
        let (next, piece_took) = timed(|| tombolo_kernels::crc32::crc32(state, piece));
        (state, bytes, took) = (next, bytes + piece.len() as u64, took + piece_took);
        Ok(())
    })
    .await?;
    answer_json(&json!({ "crc32": format!("{state:08x}"), "bytes": bytes, "computeMs": ms(took) }))
}

pub(crate) async fn blur(query: &Query, body: Body) -> Answer {
    query.only(&["width", "height", "sigma"])?;
    let width = query.number("width", 1..=SIDE_MAX)?;
    let height = query.number("height", 1..=SIDE_MAX)?;
    let sigma = query.number("sigma", 0.0..=SIGMA_MAX)?;
    if width * height > PIXELS_MAX {
        let message = format!("`width` times `height` is {}, expected at most {PIXELS_MAX}", width * height);
        return Err(Refusal::bad(message));
    }
    let length = Length::Exactly(width * height * 4, "4 for each of `width` times `height` pixels");
    let mut pixels = body::whole(body, length).await?;
    let (blurred, took) =
        timed(|| gaussian_blur(&mut pixels, width, height, sigma, &mut Scratch::default(), &Work::ALONE));
    blurred.map_err(refuse)?;
    answer_bytes(pixels, took, &[])
}

pub(crate) async fn sort(query: &Query, body: Body) -> Answer {
    query.only(&["key", "descending"])?;
    let text = query.text("key", "the key to sort by, with dots between the keys of nested objects")?;
    let key = Key::parse(text).map_err(|error| Refusal::bad(format!("`key` is `{text}`: {error}")))?;
    let direction = if query.flag("descending")? { Direction::Descending } else { Direction::Ascending };
    let json = body::whole(body, Length::AtMost(JSON_BYTES_MAX)).await?;
    let (sorted, took) = timed(|| {
        let sorted = sort_json(&json, &key, direction, &Work::ALONE)?;
        Ok((sorted.permutation().len(), sorted.to_vec(&json, &Work::ALONE)?))
    });
    let (rows, sorted) = sorted.map_err(refuse)?;
    let rows = rows.to_string();
    let mut response = answer_bytes(sorted, took, &[("x-rows", &rows)])?;
    response.headers_mut().insert("content-type", "application/json".parse().expect("it is a value"));
    Ok(response)
}

pub(crate) async fn matmul(query: &Query, body: Body) -> Answer {
    query.only(&["m", "k", "n"])?;
    let [m, k, n] = ["m", "k", "n"].map(|name| query.number(name, 1..=DIMENSION_MAX));
    let shape = Shape { m: m?, k: k?, n: n? };
    let Shape { m, k, n } = shape;
    let length = Length::Exactly((m * k + k * n) * 4, "4 for each of `m`·`k` and `k`·`n` numbers");
    let bytes = body::whole(body, length).await?;
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    drop(bytes);
    let (a, b) = numbers.split_at(m * k);
    let mut c = vec![0.0; m * n];
    let (multiplied, took) = timed(|| matmul_f32(a, b, &mut c, shape, &Work::ALONE));
    multiplied.map_err(refuse)?;
    answer_bytes(c.iter().flat_map(|number| number.to_le_bytes()).collect(), took, &[])
}

/// What `work` gives, and how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

/// Milliseconds, to the microsecond.
fn ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// All that is left to go wrong is in the body: its parameters were checked.
fn refuse(error: KernelError) -> Refusal {
    Refusal::bad(format!("the body: {error}"))
}

fn answer_json(value: &serde_json::Value) -> Answer {
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(value.to_string().into()).expect("the names and values are headers"))
}

fn answer_bytes(bytes: Vec<u8>, took: Duration, headers: &[(&str, &str)]) -> Answer {
    let mut response = Response::builder()
        .header("content-type", "application/octet-stream")
        .header("x-compute-ms", format!("{:.3}", ms(took)));
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(bytes.into()).expect("the names and values are headers"))
}
