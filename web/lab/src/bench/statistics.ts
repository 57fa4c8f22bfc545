/** What a row of timings says, in milliseconds. Order statistics: a single hiccup moves none of them. */
export interface Summary {
  readonly runs: number;
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly least: number;
  readonly most: number;
  /** Distance between the quartiles as a share of the median; 0 if all runs took the same time. */
  readonly spread: number;
}

/** The summary of `timings`, or `undefined` for none. Quantiles interpolate linearly (R's type 7). */
export function summarise(timings: readonly number[]): Summary | undefined {
  const sorted = Float64Array.from(timings).sort();
  const least = sorted[0];
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) return undefined;
  const median = quantile(sorted, 0.5);
  const lowerQuartile = quantile(sorted, 0.25);
  const upperQuartile = quantile(sorted, 0.75);
  const spread = median > 0 ? (upperQuartile - lowerQuartile) / median : 0;
  return { runs: sorted.length, median, lowerQuartile, upperQuartile, least, most, spread };
}

/** The value below which `share` of the `sorted`, non-empty values lie. */
function quantile(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** How many times `subject` fits into `reference`: 2 means twice as fast. */
export function speedup(reference: number, subject: number): number | undefined {
  return reference > 0 && subject > 0 ? reference / subject : undefined;
}
