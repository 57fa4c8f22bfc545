import { cubicTaps, wholeTaps } from "./resize-weights.js";

const BITS = 14; // Of the weights.
const BITS_BETWEEN = 6; // Of a fraction kept from columns to rows: 8 + 6 + 14 bits and a sign.
const ROWS = 7; // That one sweep adds. 4K to 640 takes two sweeps.
const PIXELS = 4; // That one turn along a row adds.

/**
 * Resizes opaque pixels, in 32-bit whole numbers on a little-endian machine (all that run JavaScript today): columns first, since rows of bytes are read in
 * order and most of the work is there, then the one row that this gives.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {import("./resize.js").Size} from
 * @param {import("./resize.js").Size} to
 * @param {(y: number, row: Uint8Array) => void} take is given each row, red, green and blue, from the top
 */
export function resizeOpaque(pixels, from, to, take) {
  const across = cubicTaps(from.height, to.height, ROWS);
  const along = cubicTaps(from.width, to.width, PIXELS);
  const weightsAcross = wholeTaps(across, BITS);
  const weightsAlong = wholeTaps(along, BITS);
  // Words need bytes that begin at a multiple of four: nearly all do, others are copied.
  const aligned = pixels.byteOffset % 4 === 0 ? pixels : pixels.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, from.width * from.height);
  const middle = new Int32Array((from.width + PIXELS) * 3); // Weights of zero may lie beyond the row.
  const row = new Uint8Array(to.width * 3);
  for (let y = 0; y < to.height; y++) {
    middle.fill(1 << (BITS - BITS_BETWEEN - 1)); // A half, to round.
    for (let i = 0; i < across.count[y]; i += ROWS) {
      sweepRows(words, from, across.first[y] + i, weightsAcross, y * across.most + i, middle);
    }
    for (let i = 0; i < middle.length; i++) middle[i] >>= BITS - BITS_BETWEEN;
    sumPixels(middle, along, weightsAlong, row);
    take(y, row);
  }
}

/**
 * Adds seven rows, each with its weight; those below the last row have none.
 *
 * A pixel is read as one word and taken apart: a third of the loads and checks of bytes, and it
 * takes 39 ms of 4K to 640 where bytes take 49, and doubles 80.
 * @param {Int32Array} pixels
 * @param {import("./resize.js").Size} size
 * @param {number} first
 * @param {Int32Array} weights
 * @param {number} w
 * @param {Int32Array} middle
 */
function sweepRows(pixels, { width, height }, first, weights, w, middle) {
  const at = (/** @type {number} */ i) => Math.min(first + i, height - 1) * width;
  const [w0, w1, w2, w3, w4, w5, w6] = weights.subarray(w, w + ROWS);
  const r0 = at(0), r1 = at(1), r2 = at(2), r3 = at(3), r4 = at(4), r5 = at(5), r6 = at(6);
  for (let x = 0, to = 0; x < width; x++, to += 3) {
    const p0 = pixels[r0 + x], p1 = pixels[r1 + x], p2 = pixels[r2 + x], p3 = pixels[r3 + x];
    const p4 = pixels[r4 + x], p5 = pixels[r5 + x], p6 = pixels[r6 + x];
    middle[to] = (middle[to] +
      Math.imul(w0, p0 & 255) + Math.imul(w1, p1 & 255) + Math.imul(w2, p2 & 255) + Math.imul(w3, p3 & 255) +
      Math.imul(w4, p4 & 255) + Math.imul(w5, p5 & 255) + Math.imul(w6, p6 & 255)) | 0;
    middle[to + 1] = (middle[to + 1] +
      Math.imul(w0, (p0 >>> 8) & 255) + Math.imul(w1, (p1 >>> 8) & 255) + Math.imul(w2, (p2 >>> 8) & 255) +
      Math.imul(w3, (p3 >>> 8) & 255) + Math.imul(w4, (p4 >>> 8) & 255) + Math.imul(w5, (p5 >>> 8) & 255) +
      Math.imul(w6, (p6 >>> 8) & 255)) | 0;
    middle[to + 2] = (middle[to + 2] +
      Math.imul(w0, (p0 >>> 16) & 255) + Math.imul(w1, (p1 >>> 16) & 255) + Math.imul(w2, (p2 >>> 16) & 255) +
      Math.imul(w3, (p3 >>> 16) & 255) + Math.imul(w4, (p4 >>> 16) & 255) + Math.imul(w5, (p5 >>> 16) & 255) +
      Math.imul(w6, (p6 >>> 16) & 255)) | 0;
  }
}

/**
 * @param {Int32Array} middle
 * @param {import("./resize-weights.js").Taps} taps
 * @param {Int32Array} weights
 * @param {Uint8Array} row
 */
function sumPixels(middle, { most, first, count }, weights, row) {
  const half = 1 << (BITS + BITS_BETWEEN - 1);
  for (let x = 0; x < first.length; x++) {
    let red = half, green = half, blue = half;
    for (let m = 3 * first[x], end = m + 3 * count[x], w = x * most; m < end; m += 3 * PIXELS, w += PIXELS) {
      const w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
      red = (red + Math.imul(w0, middle[m]) + Math.imul(w1, middle[m + 3]) +
        Math.imul(w2, middle[m + 6]) + Math.imul(w3, middle[m + 9])) | 0;
      green = (green + Math.imul(w0, middle[m + 1]) + Math.imul(w1, middle[m + 4]) +
        Math.imul(w2, middle[m + 7]) + Math.imul(w3, middle[m + 10])) | 0;
      blue = (blue + Math.imul(w0, middle[m + 2]) + Math.imul(w1, middle[m + 5]) +
        Math.imul(w2, middle[m + 8]) + Math.imul(w3, middle[m + 11])) | 0;
    }
    row[3 * x] = byte(red >> (BITS + BITS_BETWEEN));
    row[3 * x + 1] = byte(green >> (BITS + BITS_BETWEEN));
    row[3 * x + 2] = byte(blue >> (BITS + BITS_BETWEEN));
  }
}

/** @param {number} value a cubic overshoots at edges */
function byte(value) {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
