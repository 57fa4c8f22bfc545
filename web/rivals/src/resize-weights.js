/**
 * For each target pixel the first source pixel that counts, how many, and their weights, each
 * target's beginning at `most * target`; zeros follow. `most` is a multiple of what was asked for.
 * @typedef {{ most: number, first: Int32Array, count: Int32Array, weights: Float64Array }} Taps
 */

/**
 * The weights of Catmull-Rom's cubic (a = -0.5), widened when shrinking so that no source pixel is
 * skipped, as in Pillow.
 * @param {number} from pixels
 * @param {number} to pixels
 * @param {number} multiple
 * @returns {Taps}
 */
export function cubicTaps(from, to, multiple) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const most = Math.ceil((Math.ceil(4 * stretch) + 2) / multiple) * multiple;
  const taps = { most, first: new Int32Array(to), count: new Int32Array(to), weights: new Float64Array(to * most) };
  for (let target = 0; target < to; target++) {
    const centre = (target + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 2 * stretch));
    const count = Math.min(from, Math.ceil(centre + 2 * stretch)) - first;
    const weights = taps.weights.subarray(target * most, target * most + count);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      weights[i] = cubic((first + i + 0.5 - centre) / stretch);
      sum += weights[i];
    }
    for (let i = 0; i < count; i++) weights[i] /= sum;
    taps.first[target] = first;
    taps.count[target] = count;
  }
  return taps;
}

/** @param {number} x */
function cubic(x) {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

/**
 * The same weights as whole numbers of sum `2 ** bits`: running sums are rounded, not weights.
 * @param {Taps} taps
 * @param {number} bits
 * @returns {Int32Array}
 */
export function wholeTaps(taps, bits) {
  const whole = new Int32Array(taps.weights.length);
  for (let at = 0; at < whole.length; at += taps.most) {
    let running = 0;
    let rounded = 0;
    for (let i = at; i < at + taps.most; i++) {
      running += taps.weights[i] * 2 ** bits;
      whole[i] = Math.round(running) - rounded;
      rounded += whole[i];
    }
  }
  return whole;
}
