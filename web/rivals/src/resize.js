import { checkSize, isOpaque } from "./pixels.js";
import { resizeAlpha } from "./resize-alpha.js";
import { resizeOpaque } from "./resize-opaque.js";

/** @typedef {import("./pixels.js").Size} Size */

/**
 * Resizes RGBA pixels by Catmull-Rom's cubic, colours weighted by alpha.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {Size} from
 * @param {Size} to
 * @returns {Uint8ClampedArray} RGBA
 */
export function resize(pixels, from, to) {
  checkSize("from", from, pixels.length);
  checkSize("to", to);
  const out = new Uint8ClampedArray(to.width * to.height * 4);
  if (isOpaque(pixels)) {
    out.fill(255);
    resizeOpaque(pixels, from, to, (y, row) => spread(row, out, y * to.width * 4));
  } else {
    resizeAlpha(pixels, from, to, (y, row) => out.set(row, y * to.width * 4));
  }
  return out;
}

/**
 * @param {Uint8Array} row
 * @param {Uint8ClampedArray} out
 * @param {number} at
 */
function spread(row, out, at) {
  for (let i = 0; i < row.length; i += 3, at += 4) {
    out[at] = row[i];
    out[at + 1] = row[i + 1];
    out[at + 2] = row[i + 2];
  }
}
