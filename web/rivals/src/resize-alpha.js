import { cubicTaps } from "./resize-weights.js";

/**
 * Resizes pixels of which some are transparent, colours weighted by alpha: in doubles, columns
 * first, then the one row that this gives.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {import("./resize.js").Size} from
 * @param {import("./resize.js").Size} to
 * @param {(y: number, row: Uint8Array) => void} take is given each row, as RGBA, from the top
 */
export function resizeAlpha(pixels, from, to, take) {
  const across = cubicTaps(from.height, to.height, 1);
  const along = cubicTaps(from.width, to.width, 1);
  const middle = new Float64Array(from.width * 4);
  const row = new Uint8Array(to.width * 4);
  for (let y = 0; y < to.height; y++) {
    middle.fill(0);
    for (let i = 0; i < across.count[y]; i++) {
      addRow(pixels, (across.first[y] + i) * from.width * 4, across.weights[y * across.most + i], middle);
    }
    sumPixels(middle, along, row);
    take(y, row);
  }
}

/**
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} from
 * @param {number} weight
 * @param {Float64Array} middle
 */
function addRow(pixels, from, weight, middle) {
  for (let i = 0; i < middle.length; i += 4, from += 4) {
    const alpha = weight * pixels[from + 3];
    middle[i] += alpha * pixels[from];
    middle[i + 1] += alpha * pixels[from + 1];
    middle[i + 2] += alpha * pixels[from + 2];
    middle[i + 3] += alpha;
  }
}

/**
 * @param {Float64Array} middle
 * @param {import("./resize-weights.js").Taps} taps
 * @param {Uint8Array} row
 */
function sumPixels(middle, { most, first, count, weights }, row) {
  for (let x = 0; x < first.length; x++) {
    let red = 0, green = 0, blue = 0, alpha = 0;
    for (let i = 0, from = 4 * first[x], w = x * most; i < count[x]; i++, from += 4, w++) {
      const weight = weights[w];
      red += weight * middle[from];
      green += weight * middle[from + 1];
      blue += weight * middle[from + 2];
      alpha += weight * middle[from + 3];
    }
    const scale = alpha > 0 ? 1 / alpha : 0;
    row[4 * x] = byte(red * scale);
    row[4 * x + 1] = byte(green * scale);
    row[4 * x + 2] = byte(blue * scale);
    row[4 * x + 3] = byte(alpha);
  }
}

/** @param {number} value a cubic overshoots at edges */
function byte(value) {
  return Math.max(0, Math.min(255, (value + 0.5) | 0));
}
