import { pointAcross, repeatEdges, tapsAlong } from "./blur-separable.js";
import { sumTaps } from "./blur-sweep.js";
import { checkBlur, gaussianWeights, wholeWeights } from "./blur-weights.js";
import { isOpaque } from "./pixels.js";

// Two values share one double: `low + LANE * high`, whole numbers below 2^26 each. Doubles hold 53
// bits exactly, so sums with whole weights are exact in both, at the price of one.
const LANE = 2 ** 26;
const BITS_ACROSS = 16; // Of the weights; a value has 8 bits, a sum 24.
const BITS_BETWEEN = 3; // Of a fraction that is kept from the first direction to the second.
const BITS_ALONG = 15; // 8 + 3 + 15 = 26.
const SHIFT_ACROSS = BITS_ACROSS - BITS_BETWEEN;
const SHIFT_ALONG = BITS_ALONG + BITS_BETWEEN;
const HALF_ACROSS = 2 ** (SHIFT_ACROSS - 1);
const HALF_ALONG = 2 ** (SHIFT_ALONG - 1);

/**
 * Blurs opaque RGBA pixels in place, two values at a time in one double: the left half of a picture
 * with its right half, then each row with the next. Half the arithmetic of `blurSeparable`.
 * @param {Uint8Array | Uint8ClampedArray} pixels every alpha is 255
 * @param {import("./pixels.js").Size} size
 * @param {number} sigma pixels; 0 changes nothing
 */
export function blurPacked(pixels, size, sigma) {
  checkBlur(pixels, size, sigma);
  if (!isOpaque(pixels)) throw new RangeError("a picture with transparent pixels cannot be blurred packed");
  if (sigma === 0) return;
  const { width, height } = size;
  const weights = gaussianWeights(sigma);
  const radius = weights.length - 1;
  const half = Math.ceil(width / 2);
  const right = width - half; // Where the right half starts: with an odd width it overlaps.
  const values = half * 3;
  const margin = radius * 3;
  const slots = 2 ** Math.ceil(Math.log2(2 * radius + 2)); // Row y is in slot `y & (slots - 1)`.
  const ring = new Float64Array(slots * values);
  const halves = new Float64Array(values);
  const rows = new Float64Array(width * 3 + 2 * margin);
  const sums = new Float64Array(width * 3);
  const along = tapsAlong(wholeWeights(weights, BITS_ALONG), margin, 3);
  const whole = wholeWeights(weights, BITS_ACROSS);
  const across = { up: new Int32Array(radius + 1), down: new Int32Array(radius + 1), weights: whole };
  let loaded = 0;
  for (let pair = 0; pair < height; pair += 2) {
    const y = Math.max(0, Math.min(pair, height - 2)); // With an odd height the last pair overlaps.
    const next = Math.min(y + 1, height - 1);
    for (const end = Math.min(height, next + radius + 1); loaded < end; loaded++) {
      loadHalves(pixels, 4 * width * loaded, right, ring, (loaded & (slots - 1)) * values, values);
    }
    pointAcross(across, y, height, slots, values);
    sumTaps(halves, 0, values, ring, across);
    unpackHalves(halves, rows, margin, margin + 3 * right, 0, 1);
    pointAcross(across, next, height, slots, values);
    sumTaps(halves, 0, values, ring, across);
    unpackHalves(halves, rows, margin, margin + 3 * right, 1, LANE);
    repeatEdges(rows, margin, width * 3, 3);
    sumTaps(sums, 0, width * 3, rows, along);
    storeRows(sums, pixels, 4 * width * y, 4 * width * next);
  }
}

/**
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} from
 * @param {number} right
 * @param {Float64Array} ring
 * @param {number} to
 * @param {number} values
 */
function loadHalves(pixels, from, right, ring, to, values) {
  let other = from + 4 * right;
  for (let i = to; i < to + values; i += 3, from += 4, other += 4) {
    ring[i] = pixels[from] + LANE * pixels[other];
    ring[i + 1] = pixels[from + 1] + LANE * pixels[other + 1];
    ring[i + 2] = pixels[from + 2] + LANE * pixels[other + 2];
  }
}

/**
 * Rounds both halves of a row, and puts them into one lane of `rows`, leaving `keep` of the other.
 * @param {Float64Array} halves
 * @param {Float64Array} rows
 * @param {number} left
 * @param {number} right
 * @param {0 | 1} keep
 * @param {number} lane
 */
function unpackHalves(halves, rows, left, right, keep, lane) {
  // A right half that overlaps must not be added to what the left half has just put there.
  const overlap = left + halves.length - right;
  for (let i = 0; i < halves.length; i++) {
    const high = (halves[i] * (1 / LANE)) | 0;
    const low = halves[i] - high * LANE;
    rows[left + i] = keep * rows[left + i] + lane * ((low + HALF_ACROSS) >> SHIFT_ACROSS);
    if (i >= overlap) rows[right + i] = keep * rows[right + i] + lane * ((high + HALF_ACROSS) >> SHIFT_ACROSS);
  }
}

/**
 * @param {Float64Array} sums
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} to
 * @param {number} next
 */
function storeRows(sums, pixels, to, next) {
  for (let i = 0; i < sums.length; i += 3, to += 4, next += 4) {
    for (let channel = 0; channel < 3; channel++) {
      const sum = sums[i + channel];
      const high = (sum * (1 / LANE)) | 0;
      pixels[to + channel] = (sum - high * LANE + HALF_ALONG) >> SHIFT_ALONG;
      pixels[next + channel] = (high + HALF_ALONG) >> SHIFT_ALONG;
    }
  }
}
