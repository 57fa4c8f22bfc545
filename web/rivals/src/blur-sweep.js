// The inner loop of both blurs. V8 does not unroll a loop over weights, so it is written out for
// nine pairs (sigma 3 takes one such sweep a direction) and for three, for what then is left.

/** Radii are rounded up to this, with weights of zero. */
export const PAIRS_LEAST = 3;

/**
 * Where the values of each weight lie: `up[i]` and `down[i]` share `weights[i]`, `up[0]` is the middle.
 * @typedef {{ up: Int32Array, down: Int32Array, weights: Float64Array }} Taps
 */

/**
 * Writes to `target[to + i]` the weighted sum of `source[up[k] + i]` and `source[down[k] + i]` over
 * all `k`, for `count` values of `i`.
 * @param {Float64Array} target another array than `source`
 * @param {number} to
 * @param {number} count
 * @param {Float64Array} source
 * @param {Taps} taps
 */
export function sumTaps(target, to, count, source, taps) {
  const radius = taps.weights.length - 1;
  const out = target.subarray(to, to + count);
  let base = source.subarray(taps.up[0], taps.up[0] + count);
  let weight = taps.weights[0];
  for (let first = 1; first <= radius; ) {
    const nine = radius - first >= 8;
    (nine ? sweepNine : sweepThree)(out, count, base, weight, source, taps, first);
    first += nine ? 9 : 3;
    base = out;
    weight = 1;
  }
}

/**
 * `target = weight * base + nine pairs`.
 * @param {Float64Array} target
 * @param {number} count
 * @param {Float64Array} base
 * @param {number} weight
 * @param {Float64Array} s
 * @param {Taps} taps
 * @param {number} k
 */
function sweepNine(target, count, base, weight, s, { up, down, weights }, k) {
  const w1 = weights[k], w2 = weights[k + 1], w3 = weights[k + 2], w4 = weights[k + 3], w5 = weights[k + 4];
  const w6 = weights[k + 5], w7 = weights[k + 6], w8 = weights[k + 7], w9 = weights[k + 8];
  const u1 = up[k], u2 = up[k + 1], u3 = up[k + 2], u4 = up[k + 3], u5 = up[k + 4];
  const u6 = up[k + 5], u7 = up[k + 6], u8 = up[k + 7], u9 = up[k + 8];
  const d1 = down[k], d2 = down[k + 1], d3 = down[k + 2], d4 = down[k + 3], d5 = down[k + 4];
  const d6 = down[k + 5], d7 = down[k + 6], d8 = down[k + 7], d9 = down[k + 8];
  for (let i = 0; i < count; i++) {
    target[i] =
      weight * base[i] +
      w1 * (s[u1 + i] + s[d1 + i]) + w2 * (s[u2 + i] + s[d2 + i]) + w3 * (s[u3 + i] + s[d3 + i]) +
      w4 * (s[u4 + i] + s[d4 + i]) + w5 * (s[u5 + i] + s[d5 + i]) + w6 * (s[u6 + i] + s[d6 + i]) +
      w7 * (s[u7 + i] + s[d7 + i]) + w8 * (s[u8 + i] + s[d8 + i]) + w9 * (s[u9 + i] + s[d9 + i]);
  }
}

/**
 * `target = weight * base + three pairs`.
 * @param {Float64Array} target
 * @param {number} count
 * @param {Float64Array} base
 * @param {number} weight
 * @param {Float64Array} s
 * @param {Taps} taps
 * @param {number} k
 */
function sweepThree(target, count, base, weight, s, { up, down, weights }, k) {
  const w1 = weights[k], w2 = weights[k + 1], w3 = weights[k + 2];
  const u1 = up[k], u2 = up[k + 1], u3 = up[k + 2];
  const d1 = down[k], d2 = down[k + 1], d3 = down[k + 2];
  for (let i = 0; i < count; i++) {
    target[i] =
      weight * base[i] +
      w1 * (s[u1 + i] + s[d1 + i]) + w2 * (s[u2 + i] + s[d2 + i]) + w3 * (s[u3 + i] + s[d3 + i]);
  }
}
