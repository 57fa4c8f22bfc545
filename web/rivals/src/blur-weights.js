import { PAIRS_LEAST } from "./blur-sweep.js";
import { checkSize } from "./pixels.js";

/**
 * The weights of a Gaussian from the middle outwards, of sum 1 with both sides, up to three sigma;
 * then zeros until the radius is one that sweeps take.
 * @param {number} sigma pixels
 * @returns {Float64Array}
 */
export function gaussianWeights(sigma) {
  const radius = Math.ceil(3 * sigma);
  const weights = new Float64Array(1 + Math.ceil(radius / PAIRS_LEAST) * PAIRS_LEAST);
  for (let i = 0; i <= radius; i++) weights[i] = Math.exp(-(i * i) / (2 * sigma * sigma));
  const total = 2 * weights.reduce((sum, weight) => sum + weight) - weights[0];
  return weights.map((weight) => weight / total);
}

/**
 * The weights as whole numbers of sum `2 ** bits`. Each is a difference of two rounded running
 * sums, so that errors do not add up along an edge.
 * @param {Float64Array} weights
 * @param {number} bits
 */
export function wholeWeights(weights, bits) {
  const one = 2 ** bits;
  const whole = new Float64Array(weights.length);
  let running = 0;
  let rounded = 0;
  for (let i = weights.length - 1; i > 0; i--) {
    running += weights[i] * one;
    whole[i] = Math.round(running) - rounded;
    rounded += whole[i];
  }
  whole[0] = one - 2 * rounded;
  return whole;
}

/**
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {import("./pixels.js").Size} size
 * @param {number} sigma
 */
export function checkBlur(pixels, size, sigma) {
  checkSize("size", size, pixels.length);
  if (!(sigma >= 0 && sigma < Infinity)) throw new RangeError(`sigma must be a number of at least 0: ${sigma}`);
}
