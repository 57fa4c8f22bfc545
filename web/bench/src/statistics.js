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
 * How many times `other` fits: the median of the ratios within each round, so that what slows a whole
 * round down falls out. Without rounds in common (another process), the ratio of medians.
 * @param {readonly number[]} values
 * @param {readonly number[]} other
 * @param {"same rounds" | "apart"} how
 */
export function ratio(values, other, how) {
  if (how === "apart") return median(other) / median(values);
  return median(values.map((value, round) => other[round] / value));
}
