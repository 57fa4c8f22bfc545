import type { ContenderId } from "../bench/experiment.ts";
import { samplesOf, type Report } from "../bench/reading.ts";
import { speedup, summarise, type Summary } from "../bench/statistics.ts";
import { significant } from "./format.ts";

/** The figures of one contender, as the table and the exports show them. */
export interface Row {
  readonly compute: Summary | undefined;
  readonly wall: Summary | undefined;
  /** In the report's unit, by the kernel's median. */
  readonly rate: string;
  /** JavaScript's kernel median as a multiple of this one's. */
  readonly ratio: number | undefined;
}

export function rowOf(report: Report, contender: ContenderId): Row {
  const compute = summariseOf(report, contender, "computeMs");
  const wall = summariseOf(report, contender, "wallMs");
  const reference = summariseOf(report, "javascript", "computeMs");
  const { units, scale } = report.rate;
  const rate = compute === undefined ? "–" : significant((units / (compute.median / 1000)) * scale);
  const ratio =
    reference === undefined || compute === undefined ? undefined : speedup(reference.median, compute.median);
  return { compute, wall, rate, ratio };
}

function summariseOf(report: Report, contender: ContenderId, metric: "computeMs" | "wallMs"): Summary | undefined {
  return summarise(samplesOf(report.readings[contender]).map((sample) => sample[metric]).filter(Number.isFinite));
}
