/** @param {readonly number[]} values at least one */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * Between the two nearest values, in proportion.
 * @param {readonly number[]} values at least one
 * @param {number} q from 0 to 1
 */
export function quantile(values, q) {
  if (values.length === 0) throw new RangeError("there is no median of nothing");
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/**
 * How many times `other` takes as long: the median of the ratios within each round, so that what
 * slows a whole round down falls out.
 * @param {readonly number[]} values by round
 * @param {readonly number[]} other of the same rounds
 */
export function ratio(values, other) {
  return median(values.map((value, round) => other[round] / value));
}
