// What the kernels are measured on: the same bytes in every engine and every run. The rows are those
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
 * A picture of gradients, an edge and some noise; opaque.
 * @param {{ width: number, height: number }} size
 */
export function picture({ width, height }) {
  const next = sequence();
  const pixels = new Uint8Array(width * height * 4);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      pixels[at] = (255 * x) / width;
      pixels[at + 1] = (255 * y) / height;
      pixels[at + 2] = (x + y) % 512 < 256 ? 200 + (next() >>> 27) : next() >>> 28;
      pixels[at + 3] = 255;
    }
  }
  return pixels;
}

/**
 * Numbers from -1 to 1.
 * @param {number} length
 */
export function matrix(length) {
  const next = sequence();
  return Float32Array.from({ length }, () => next() / 2 ** 31 - 1);
}

/**
 * A JSON array as `JSON.stringify` writes it: some 82 bytes a row.
 * @param {number} count
 */
export function rows(count) {
  const next = sequence();
  const hex = (/** @type {number} */ number) => number.toString(16).padStart(8, "0");
  const encoder = new TextEncoder();
  const bytes = new Uint8Array(2 + count * 100);
  let at = 0;
  const put = (/** @type {string} */ text) => {
    at += encoder.encodeInto(text, bytes.subarray(at)).written;
  };
  put("[");
  for (let i = 0; i < count; i++) {
    const a = next();
    const b = next();
    // An odd last digit: a number that ends in zero is written shorter.
    const score = `${Math.floor(a / 1000)}.${String((a % 1000) | 1).padStart(3, "0")}`;
    put(`${i > 0 ? "," : ""}{"id":${i},"name":"user-${hex(a)}","score":${score},"active":${(b & 1) === 1},"city":"${hex(b).slice(0, 2)}"}`);
  }
  put("]");
  return bytes.slice(0, at);
}
