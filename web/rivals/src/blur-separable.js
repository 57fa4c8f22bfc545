import { sumTaps } from "./blur-sweep.js";
import { checkBlur, gaussianWeights } from "./blur-weights.js";
import { isOpaque } from "./pixels.js";

/**
 * Blurs RGBA pixels in place: columns, then rows, edges repeated, colours weighted by alpha.
 *
 * One row is finished at a time: its columns are summed from a ring of rows, which stays in the
 * second cache and lets the blur be in place, then its pixels. Numbers are doubles: V8 computes in
 * doubles, and f32 arrays cost a conversion at every load (5 % here; 32-bit whole numbers are as
 * fast as doubles). Opaque pictures skip alpha.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {import("./pixels.js").Size} size
 * @param {number} sigma pixels; 0 changes nothing
 */
export function blurSeparable(pixels, size, sigma) {
  checkBlur(pixels, size, sigma);
  if (sigma === 0) return;
  const weights = gaussianWeights(sigma);
  const opaque = isOpaque(pixels);
  const channels = opaque ? 3 : 4;
  const load = opaque ? loadOpaque : loadPremultiplied;
  const store = opaque ? storeOpaque : storePremultiplied;
  const { width, height } = size;
  const radius = weights.length - 1;
  const values = width * channels;
  const margin = radius * channels;
  const slots = 2 ** Math.ceil(Math.log2(2 * radius + 1)); // Row y is in slot `y & (slots - 1)`.
  const ring = new Float64Array(slots * values);
  const row = new Float64Array(values + 2 * margin);
  const sums = new Float64Array(values);
  const along = tapsAlong(weights, margin, channels);
  const across = { up: new Int32Array(radius + 1), down: new Int32Array(radius + 1), weights };
  let loaded = 0;
  for (let y = 0; y < height; y++) {
    for (const end = Math.min(height, y + radius + 1); loaded < end; loaded++) {
      load(pixels, 4 * width * loaded, ring, (loaded & (slots - 1)) * values, values);
    }
    pointAcross(across, y, height, slots, values);
    sumTaps(row, margin, values, ring, across);
    repeatEdges(row, margin, values, channels);
    sumTaps(sums, 0, values, row, along);
    store(sums, pixels, 4 * width * y);
  }
}

/**
 * The taps along a row that has `margin` values before its first.
 * @param {Float64Array} weights
 * @param {number} margin
 * @param {number} channels
 * @returns {import("./blur-sweep.js").Taps}
 */
export function tapsAlong(weights, margin, channels) {
  const up = Int32Array.from(weights, (_, i) => margin - i * channels);
  const down = Int32Array.from(weights, (_, i) => margin + i * channels);
  return { up, down, weights };
}

/**
 * Points taps at the rows around row `y` of the ring; beyond an edge, at the row on the edge.
 * @param {import("./blur-sweep.js").Taps} taps
 * @param {number} y
 * @param {number} height
 * @param {number} slots
 * @param {number} values
 */
export function pointAcross({ up, down }, y, height, slots, values) {
  for (let i = 0; i < up.length; i++) {
    up[i] = (Math.max(0, y - i) & (slots - 1)) * values;
    down[i] = (Math.min(height - 1, y + i) & (slots - 1)) * values;
  }
}

/**
 * Fills both margins of a row with its first and last pixel.
 * @param {Float64Array} row
 * @param {number} margin
 * @param {number} values
 * @param {number} channels
 */
export function repeatEdges(row, margin, values, channels) {
  for (let i = 0; i < margin; i++) {
    row[i] = row[margin + (i % channels)];
    row[margin + values + i] = row[margin + values - channels + (i % channels)];
  }
}

/**
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} from
 * @param {Float64Array} ring
 * @param {number} to
 * @param {number} values
 */
function loadOpaque(pixels, from, ring, to, values) {
  for (let i = to; i < to + values; i += 3, from += 4) {
    ring[i] = pixels[from];
    ring[i + 1] = pixels[from + 1];
    ring[i + 2] = pixels[from + 2];
  }
}

/**
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} from
 * @param {Float64Array} ring
 * @param {number} to
 * @param {number} values
 */
function loadPremultiplied(pixels, from, ring, to, values) {
  for (let i = to; i < to + values; i += 4, from += 4) {
    const alpha = pixels[from + 3];
    ring[i] = alpha * pixels[from];
    ring[i + 1] = alpha * pixels[from + 1];
    ring[i + 2] = alpha * pixels[from + 2];
    ring[i + 3] = alpha;
  }
}

/**
 * @param {Float64Array} sums
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} to
 */
function storeOpaque(sums, pixels, to) {
  for (let i = 0; i < sums.length; i += 3, to += 4) {
    pixels[to] = (sums[i] + 0.5) | 0;
    pixels[to + 1] = (sums[i + 1] + 0.5) | 0;
    pixels[to + 2] = (sums[i + 2] + 0.5) | 0;
  }
}

/**
 * Where nothing is left of alpha, so is nothing of the colours.
 * @param {Float64Array} sums
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} to
 */
function storePremultiplied(sums, pixels, to) {
  for (let i = 0; i < sums.length; i += 4, to += 4) {
    const alpha = sums[i + 3];
    const scale = alpha > 0 ? 1 / alpha : 0;
    pixels[to] = Math.min(255, (sums[i] * scale + 0.5) | 0);
    pixels[to + 1] = Math.min(255, (sums[i + 1] * scale + 0.5) | 0);
    pixels[to + 2] = Math.min(255, (sums[i + 2] * scale + 0.5) | 0);
    pixels[to + 3] = Math.min(255, (alpha + 0.5) | 0);
  }
}
