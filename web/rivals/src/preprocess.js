import { checkSize, isOpaque } from "./pixels.js";
import { resizeAlpha } from "./resize-alpha.js";
import { resizeOpaque } from "./resize-opaque.js";

/**
 * What a vision model is given: resized as by `resize`, then three planes of numbers, red, green and
 * blue, each `(x / 255 - mean) / std`. A row is written while it is in the first cache, its 256
 * possible values looked up.
 * @param {Uint8Array | Uint8ClampedArray} pixels RGBA
 * @param {import("./pixels.js").Size} from
 * @param {import("./pixels.js").Size} to
 * @param {readonly [number, number, number]} [mean]
 * @param {readonly [number, number, number]} [std]
 * @returns {Float32Array} planes of `to.width * to.height`
 */
export function preprocess(pixels, from, to, mean = [0, 0, 0], std = [1, 1, 1]) {
  checkSize("from", from, pixels.length);
  checkSize("to", to);
  const plane = to.width * to.height;
  const out = new Float32Array(3 * plane);
  const values = mean.map((_, c) => Float32Array.from({ length: 256 }, (_, x) => (x / 255 - mean[c]) / std[c]));
  const write = (/** @type {number} */ step) => (/** @type {number} */ y, /** @type {Uint8Array} */ row) => {
    for (let c = 0; c < 3; c++) planeRow(row, c, step, values[c], out, c * plane + y * to.width, to.width);
  };
  if (isOpaque(pixels)) resizeOpaque(pixels, from, to, write(3));
  else resizeAlpha(pixels, from, to, write(4));
  return out;
}

/**
 * @param {Uint8Array} row
 * @param {number} from
 * @param {number} step
 * @param {Float32Array} values
 * @param {Float32Array} out
 * @param {number} to
 * @param {number} count
 */
function planeRow(row, from, step, values, out, to, count) {
  for (let i = 0; i < count; i++, from += step) out[to + i] = values[row[from]];
}
