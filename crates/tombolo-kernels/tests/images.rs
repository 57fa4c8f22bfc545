//! Blur and resize against the plain sums in `f64`.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use tombolo_kernels::blur::{Scratch, gaussian_blur, gaussian_blur_radius};
use tombolo_kernels::resample::{Normal, Size, preprocess, resize_bicubic};
use tombolo_kernels::{Alone, Crew, KernelError, Silent, Watch, Work};

/// Threads of the system, some of which come late.
struct Threads(usize);

impl Crew for Threads {
    fn size(&self) -> usize {
        self.0
    }

    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for rank in 1..self.0 {
                scope.spawn(move || task(rank));
            }
            task(0);
        });
    }
}

/// An image of no pattern; `alpha` says what its pixels' alphas are made of.
fn noise(size: Size, seed: u64, alpha: impl Fn(u8) -> u8) -> Vec<u8> {
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some((*state >> 56) as u8)
    };
    let mut pixels = (0..size.width * size.height * 4).scan(seed, |state, _| next(state)).collect::<Vec<_>>();
    pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = alpha(pixel[3]));
    pixels
}

fn no_alpha(_: u8) -> u8 {
    255
}

fn some_alpha(byte: u8) -> u8 {
    if byte < 128 { 0 } else { byte.wrapping_mul(5) }
}

/// Premultiplied sums: red, green and blue times alpha, and alpha.
type Sums = Vec<[f64; 4]>;

fn premultiplied(pixels: &[u8]) -> Sums {
    let sums = |pixel: &[u8]| {
        let [red, green, blue, alpha] = [0, 1, 2, 3].map(|at| f64::from(pixel[at]));
        [red * alpha, green * alpha, blue * alpha, alpha]
    };
    pixels.chunks_exact(4).map(sums).collect()
}

/// Each target pixel's sum of `weights(target)`: pairs of a source place and a weight.
fn along(source: &Sums, count: usize, place: impl Fn(usize) -> usize, weights: &[Vec<(usize, f64)>]) -> Sums {
    assert_eq!(count % weights.len(), 0);
    let sum = |at: usize, weights: &Vec<(usize, f64)>| {
        weights.iter().fold([0.0; 4], |sums, (from, weight)| {
            [0, 1, 2, 3].map(|channel| sums[channel] + weight * source[place(at) + from][channel])
        })
    };
    (0..count).map(|at| sum(at / weights.len(), &weights[at % weights.len()])).collect()
}

fn transposed(sums: &Sums, width: usize) -> Sums {
    (0..width).flat_map(|x| sums.iter().skip(x).step_by(width)).copied().collect()
}

/// Both directions: weights along rows, then along columns.
fn both(pixels: &[u8], from: Size, columns: &[Vec<(usize, f64)>], rows: &[Vec<(usize, f64)>]) -> Sums {
    let sums = premultiplied(pixels);
    let sums = along(&sums, from.height * columns.len(), |row| row * from.width, columns);
    let sums = transposed(&sums, columns.len());
    let sums = along(&sums, columns.len() * rows.len(), |column| column * from.height, rows);
    transposed(&sums, rows.len())
}

fn gaussian(length: usize, sigma: f32) -> Vec<Vec<(usize, f64)>> {
    let sigma = f64::from(sigma);
    let radius = (3.0 * sigma).ceil().max(1.0) as isize;
    let weight = |at: isize| (-0.5 * (at as f64 / sigma).powi(2)).exp();
    let sum: f64 = (-radius..=radius).map(weight).sum();
    let clamped = |at: isize| at.clamp(0, length as isize - 1) as usize;
    let taps = |x: usize| (-radius..=radius).map(|at| (clamped(x as isize + at), weight(at) / sum)).collect();
    (0..length).map(taps).collect()
}

fn bicubic(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let cubic = |x: f64| match x.abs() {
        x if x < 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
        x if x < 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
        _ => 0.0,
    };
    let taps = |at: usize| {
        let weight = |source: usize| cubic((source as f64 + 0.5 - (at as f64 + 0.5) * scale) / stretch);
        let sum: f64 = (0..from).map(weight).sum();
        (0..from).map(|source| (source, weight(source) / sum)).filter(|(_, weight)| *weight != 0.0).collect()
    };
    (0..to).map(taps).collect()
}

/// Each byte is within 1 of what is exact, rounded; colours only where there is alpha enough to see them.
fn assert_close(pixels: &[u8], exact: &Sums, alpha_min: f64) {
    assert_eq!(pixels.len(), exact.len() * 4);
    for (at, (pixel, [red, green, blue, alpha])) in pixels.chunks_exact(4).zip(exact).enumerate() {
        let off = |byte: u8, exact: f64| (f64::from(byte) - exact.round().clamp(0.0, 255.0)).abs();
        assert!(off(pixel[3], *alpha) <= 1.0, "alpha {at}: {pixel:?} {alpha}");
        if *alpha > alpha_min {
            for (byte, sum) in pixel.iter().zip([red, green, blue]) {
                assert!(off(*byte, sum / alpha) <= 1.0, "{at}: {pixel:?} {sum} {alpha}");
            }
        }
    }
}

fn check_blur(size: Size, sigma: f32, pixels: &[u8], threads: usize) {
    let exact = both(pixels, size, &gaussian(size.width, sigma), &gaussian(size.height, sigma));
    let mut scratch = Scratch::default();
    let threads = Threads(threads);
    let work = Work { crew: &threads, watch: &Silent };
    for _ in 0..2 {
        let mut pixels = pixels.to_vec();
        gaussian_blur(&mut pixels, size.width, size.height, sigma, &mut scratch, &work)
            .expect("the sizes are right");
        // A neighbour at sigma 0.05 has a weight of 10⁻⁸⁷, which no `f32` has.
        assert_close(&pixels, &exact, 1e-30);
    }
}

fn check_resize(from: Size, to: Size, pixels: &[u8], threads: usize) {
    let exact = both(pixels, from, &bicubic(from.width, to.width), &bicubic(from.height, to.height));
    let threads = Threads(threads);
    let work = Work { crew: &threads, watch: &Silent };
    let mut target = vec![7; to.width * to.height * 4];
    resize_bicubic(pixels, from, &mut target, to, &work).expect("the sizes are right");
    assert_close(&target, &exact, 0.6);
    let normal = Normal { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
    let mut planes = vec![f32::NAN; to.width * to.height * 3];
    preprocess(pixels, from, &mut planes, to, &normal, &work).expect("the sizes are right");
    for (channel, plane) in planes.chunks_exact(to.width * to.height).enumerate() {
        for (value, pixel) in plane.iter().zip(target.chunks_exact(4)) {
            let expected = (f64::from(pixel[channel]) / 255.0 - f64::from(normal.mean[channel]))
                / f64::from(normal.deviation[channel]);
            assert!((f64::from(*value) - expected).abs() < 1e-5, "{value} {expected}");
        }
    }
}

fn sizes(max: usize) -> impl Strategy<Value = Size> {
    (1..max, 1..max).prop_map(|(width, height)| Size { width, height })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn blur_is_within_one(size in sizes(50), sigma in 0.05_f32..9.0, seed in any::<u64>(), threads in 1_usize..4) {
        check_blur(size, sigma, &noise(size, seed, no_alpha), threads);
        check_blur(size, sigma, &noise(size, seed, some_alpha), threads);
        check_blur(size, sigma, &noise(size, seed, |byte| byte / 128), threads);
    }

    #[test]
    fn resize_is_within_one(from in sizes(60), to in sizes(60), seed in any::<u64>(), threads in 1_usize..4) {
        check_resize(from, to, &noise(from, seed, no_alpha), threads);
        check_resize(from, to, &noise(from, seed, some_alpha), threads);
    }
}

#[test]
fn resize_is_within_one_at_its_worst() {
    // White where a weight of fourteen bits would be rounded up, and black where it would be rounded down:
    // every error counts in full. Of a few pixels they are small, of hundreds they are not.
    for (from, to) in [((3, 900), (3, 1)), ((900, 3), (1, 3)), ((40, 40), (9, 9)), ((9, 6), (50, 70))] {
        let size = |(width, height)| Size { width, height };
        let (from, to) = (size(from), size(to));
        let is_up = |weights: &[(usize, f64)], at: usize| {
            let weight = weights.iter().find(|(source, _)| *source == at).map_or(0.0, |(_, weight)| *weight);
            (weight * 16384.0).rem_euclid(1.0) >= 0.5
        };
        let (columns, rows) = (bicubic(from.width, to.width), bicubic(from.height, to.height));
        let pixels = (0..from.width * from.height).flat_map(|at| {
            let (x, y) = (at % from.width, at / from.width);
            let is_up = if to.width < to.height { is_up(&columns[0], x) } else { is_up(&rows[0], y) };
            let byte = if is_up { 255 } else { 0 };
            [byte, byte, byte, 255]
        });
        check_resize(from, to, &pixels.collect::<Vec<_>>(), 1);
    }
}

#[test]
fn blur_is_within_one_at_its_worst() {
    // Black and white only: every error of a weight counts in full.
    let size = Size { width: 120, height: 17 };
    for sigma in [0.01, 0.3, 3.0, 40.0, 150.0, 500.0] {
        let pixels =
            noise(size, 5, no_alpha).iter().map(|byte| if *byte < 128 { 0 } else { 255 }).collect::<Vec<_>>();
        let mut opaque = pixels.clone();
        opaque.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
        check_blur(size, sigma, &opaque, 2);
        check_blur(size, sigma, &pixels, 2);
    }
}

#[test]
fn one_colour_stays_that_colour() {
    let size = Size { width: 33, height: 21 };
    for colour in [[0, 1, 254, 255], [255, 255, 255, 255], [200, 100, 50, 3], [9, 9, 9, 0]] {
        let pixels = colour.repeat(size.width * size.height);
        let kept = if colour[3] == 0 { [0; 4] } else { colour };
        let mut blurred = pixels.clone();
        gaussian_blur(&mut blurred, size.width, size.height, 2.5, &mut Scratch::default(), &Work::ALONE)
            .unwrap();
        assert_eq!(blurred, kept.repeat(size.width * size.height));
        let mut resized = vec![0; 5 * 50 * 4];
        resize_bicubic(&pixels, size, &mut resized, Size { width: 5, height: 50 }, &Work::ALONE).unwrap();
        assert_eq!(resized, kept.repeat(5 * 50));
    }
}

#[test]
fn a_radius_is_two_sigma_and_sigma_zero_is_nothing() {
    let size = Size { width: 20, height: 20 };
    let pixels = noise(size, 1, some_alpha);
    let blurred = |by_radius: bool, value: f32| {
        let mut pixels = pixels.clone();
        let blur = if by_radius { gaussian_blur_radius } else { gaussian_blur };
        blur(&mut pixels, 20, 20, value, &mut Scratch::default(), &Work::ALONE).unwrap();
        pixels
    };
    assert_eq!(blurred(true, 5.0), blurred(false, 2.5));
    assert_eq!(blurred(false, 0.0), pixels);
}

#[test]
fn what_cannot_be_blurred_or_resized_is_refused() {
    let blur = |bytes: usize, width, height, sigma| {
        gaussian_blur(&mut vec![0; bytes], width, height, sigma, &mut Scratch::default(), &Work::ALONE)
    };
    for (bytes, width, height) in [(0, 0, 0), (16, 0, 4), (15, 2, 2), (16, 2, 3), (16, usize::MAX, 2)] {
        assert!(matches!(blur(bytes, width, height, 1.0), Err(KernelError::Size(_))));
    }
    for sigma in [-1.0, f32::NAN, f32::INFINITY, 500.1] {
        assert!(matches!(blur(16, 2, 2, sigma), Err(KernelError::Number(_))));
    }
    let (two, none) = (Size { width: 2, height: 2 }, Size { width: 0, height: 2 });
    let resize =
        |from, to: Size, bytes: usize| resize_bicubic(&[0; 16], from, &mut vec![0; bytes], to, &Work::ALONE);
    for (from, to, bytes) in [(two, none, 0), (none, two, 16), (two, two, 12)] {
        assert!(matches!(resize(from, to, bytes), Err(KernelError::Size(_))));
    }
    let normal = |mean, deviation| Normal { mean: [mean; 3], deviation: [deviation; 3] };
    for normal in [normal(f32::NAN, 1.0), normal(0.0, 0.0), normal(0.0, -1.0), normal(0.0, f32::NAN)] {
        let refused = preprocess(&[0; 16], two, &mut [0.0; 12], two, &normal, &Work::ALONE);
        assert!(matches!(refused, Err(KernelError::Number(_))));
    }
}

/// Progress is told by the calling thread, in order, and an answer of no ends the work.
#[test]
fn work_is_watched_and_stopped() {
    struct Stop(AtomicU32);
    impl Watch for Stop {
        fn goes_on(&self, done: u32, total: u32) -> bool {
            assert!(done <= total);
            self.0.fetch_add(1, Ordering::Relaxed) < 1
        }
    }
    let size = Size { width: 600, height: 600 };
    let mut pixels = noise(size, 3, no_alpha);
    for threads in [1, 3] {
        let (threads, watch) = (Threads(threads), Stop(AtomicU32::new(0)));
        let work = Work { crew: &threads, watch: &watch };
        let result = gaussian_blur(&mut pixels, 600, 600, 60.0, &mut Scratch::default(), &work);
        assert_eq!(result, Err(KernelError::Aborted));
    }
    let watch = Stop(AtomicU32::new(0));
    let work = Work { crew: &Alone, watch: &watch };
    let mut target = vec![0; 100 * 100 * 4];
    let result = resize_bicubic(&pixels, size, &mut target, Size { width: 100, height: 100 }, &work);
    assert_eq!(result, Err(KernelError::Aborted));
}
