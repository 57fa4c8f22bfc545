import { durationText } from "../results/format.ts";

export type ScaleKind = "log" | "linear";

/** A graduation of the axis, at a percentage of its length. */
export interface Mark {
  readonly at: number;
  /** Only long graduations have one. */
  readonly label?: string;
  /** Labels that a narrow chart has no room for. */
  readonly minor?: boolean;
}

export interface Scale {
  readonly kind: ScaleKind;
  readonly marks: readonly Mark[];
  /** Where a time lies, as a percentage of the axis; outside the ends, the end. */
  position(ms: number): number;
}

/** A scale with room for all of `timings`, in milliseconds. `undefined` if none is above zero. */
export function scaleFor(kind: ScaleKind, timings: readonly number[]): Scale | undefined {
  const usable = timings.filter((ms) => Number.isFinite(ms) && ms > 0);
  if (usable.length === 0) return undefined;
  const least = usable.reduce((one, two) => Math.min(one, two));
  const most = usable.reduce((one, two) => Math.max(one, two));
  return kind === "log" ? logarithmic(least, most) : linear(most);
}

const clamp = (percent: number): number => Math.min(100, Math.max(0, percent));

function logarithmic(least: number, most: number): Scale {
  const from = stepBelow(least * 0.9);
  // At least a factor of ten, or the noise of one contender would fill the chart.
  const to = Math.max(stepAbove(most * 1.05), from * 10);
  const length = Math.log10(to / from);
  const position = (ms: number): number => clamp((Math.log10(Math.max(ms, from) / from) / length) * 100);
  const marks: Mark[] = [];
  for (let decade = Math.floor(Math.log10(from)); decade <= Math.ceil(Math.log10(to)); decade += 1) {
    for (let digit = 1; digit < 10; digit += 1) {
      const ms = digit * 10 ** decade;
      if (ms < from * 0.999 || ms > to * 1.001) continue;
      const labelled = digit === 1 || (length <= 2.2 && (digit === 2 || digit === 5));
      const minor = digit !== 1 && length > 0.8;
      marks.push({ at: position(ms), ...(labelled ? { label: durationLabel(ms), minor } : {}) });
    }
  }
  return { kind: "log", marks, position };
}

function linear(most: number): Scale {
  const step = stepAbove((most * 1.05) / 5);
  const steps = Math.ceil((most * 1.05) / step);
  const to = step * steps;
  const position = (ms: number): number => clamp((ms / to) * 100);
  const marks: Mark[] = [];
  for (let fifth = 0; fifth <= steps * 5; fifth += 1) {
    const ms = (fifth * step) / 5;
    const minor = fifth % 10 === 5;
    marks.push({ at: position(ms), ...(fifth % 5 === 0 ? { label: durationLabel(ms), minor } : {}) });
  }
  return { kind: "linear", marks, position };
}

/** Labels are round by construction, so no digits are needed to keep them apart. */
function durationLabel(ms: number): string {
  const [value = "", unit = ""] = durationText(ms).split(" ");
  return `${Number(value.replaceAll(",", ""))} ${unit}`.trim();
}

const roundSteps = [1, 2, 5, 10] as const;

/** The largest of 1, 2, 5 times a power of ten that is not above `value`. */
function stepBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = roundSteps.findLast((step) => step * power <= value * 1.000_001) ?? 1;
  return digit * power;
}

/** The smallest of 1, 2, 5 times a power of ten that is not below `value`. */
function stepAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = roundSteps.find((step) => step * power >= value * 0.999_999) ?? 10;
  return digit * power;
}
