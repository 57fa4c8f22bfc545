// What the kernels are measured on: the same bytes in every engine and every run. They are those
// of `crates/tombolo-kernels/examples/native-figures.rs`.

export const SIZES = {
  fibonacci: 40,
  crcBytes: 64 << 20,
  matrix: 1000,
  image: { width: 3840, height: 2160 },
  sigma: 3,
  target: { width: 640, height: 640 },
  rows: 1_000_000,
  key: "score",
};

/** What image models are usually given: ImageNet's mean and deviation. */
export const MEAN = /** @type {const} */ ([0.485, 0.456, 0.406]);
export const STD = /** @type {const} */ ([0.229, 0.224, 0.225]);

/** A sequence of 32-bit numbers: Numerical Recipes' linear congruence, from 1. */
export function sequence() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

/** @param {number} length */
export function noise(length) {
  const next = sequence();
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = next() >>> 24;
  return bytes;
}

/**
 * A picture of noise; opaque.
 * @param {{ width: number, height: number }} size
 */
export function picture({ width, height }) {
  const next = sequence();
  const pixels = new Uint8Array(width * height * 4);
  for (let at = 0; at < pixels.length; at += 4) {
    const number = next();
    pixels[at] = number;
    pixels[at + 1] = number >>> 8;
    pixels[at + 2] = number >>> 16;
    pixels[at + 3] = 255;
  }
  return pixels;
}

/**
 * Two square matrices of numbers from -0.5 to 0.5.
 * @param {number} n
 */
export function matrices(n) {
  const next = sequence();
  const numbers = Float32Array.from({ length: 2 * n * n }, () => next() / 2 ** 32 - 0.5);
  return { a: numbers.slice(0, n * n), b: numbers.slice(n * n) };
}

/**
 * A JSON array as `JSON.stringify` writes it: some 80 bytes a row.
 * @param {number} count
 */
export function rows(count) {
  const next = sequence();
  const encoder = new TextEncoder();
  const bytes = new Uint8Array(2 + count * 120);
  let at = 0;
  const put = (/** @type {string} */ text) => {
    at += encoder.encodeInto(text, bytes.subarray(at)).written;
  };
  put("[");
  for (let id = 0; id < count; id++) {
    const name = `user-${next() % 1_000_000}`;
    const score = (next() % 1_000_000_000) / 1e3;
    put((id > 0 ? "," : "") + JSON.stringify({ id, name, score, active: next() >= 2 ** 31, group: `g${id % 100}` }));
  }
  put("]");
  return bytes.slice(0, at);
}
