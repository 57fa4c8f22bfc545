import type { Mark } from "./scale.ts";

/** A logarithmic axis of ratios around 1, with room for all of them. */
export interface RatioScale {
  readonly marks: readonly Mark[];
  position(ratio: number): number;
}

export function ratioScaleFor(ratios: readonly number[]): RatioScale {
  const usable = ratios.filter((ratio) => ratio > 0 && Number.isFinite(ratio));
  const from = Math.min(0.5, ...usable.map((ratio) => ratio * 0.9));
  const to = Math.max(10, ...usable.map((ratio) => ratio * 1.1));
  const length = Math.log(to / from);
  const position = (ratio: number): number => Math.min(100, Math.max(0, (Math.log(ratio / from) / length) * 100));
  const marks: Mark[] = [];
  for (let decade = Math.floor(Math.log10(from)); decade <= Math.log10(to); decade += 1) {
    for (let digit = 1; digit < 10; digit += 1) {
      const ratio = Number((digit * 10 ** decade).toPrecision(1));
      if (ratio < from || ratio > to) continue;
      const labelled = digit === 1 || digit === 2 || digit === 5;
      marks.push({ at: position(ratio), ...(labelled ? { label: `×${ratio}`, minor: digit !== 1 && length > 3 } : {}) });
    }
  }
  return { marks, position };
}
