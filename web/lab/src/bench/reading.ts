import type { Agreement } from "./agreement.ts";
import { contenderIds, type ContenderId, type KernelId, type Sample } from "./experiment.ts";
import type { Note } from "./note.ts";

/** Where one contender stands in a measurement. */
export type Reading =
  | { readonly state: "waiting" }
  | { readonly state: "opening" }
  | { readonly state: "measuring"; readonly samples: readonly Sample[]; readonly progress: number }
  | { readonly state: "measured"; readonly samples: readonly Sample[]; readonly agreement: Agreement }
  | { readonly state: "absent"; readonly why: string }
  | { readonly state: "failed"; readonly note: Note };

export type Readings = Readonly<Partial<Record<ContenderId, Reading>>>;

/**
 * What each contender runs before its first counted run: engines compile anew what runs often, and
 * memory is slow when it is touched for the first time.
 */
export interface WarmUp {
  readonly runsMin: number;
  /** Short kernels run again until this much time has passed, up to `runsMax`. */
  readonly msMin: number;
  readonly runsMax: number;
}

/** A measurement of one kernel on one input, finished or not. */
export interface Report {
  readonly kernel: KernelId;
  readonly subject: string;
  readonly rate: { readonly units: number; readonly scale: number; readonly unit: string };
  readonly rounds: number;
  readonly warmUp: WarmUp;
  /** ISO 8601, UTC: when it began. */
  readonly taken: string;
  readonly readings: Readings;
}

export type Measurement =
  | { readonly state: "idle" }
  | { readonly state: "running"; readonly report: Report; readonly doing: string; readonly done: number }
  | { readonly state: "done"; readonly report: Report }
  | { readonly state: "aborted"; readonly report: Report }
  | { readonly state: "failed"; readonly note: Note };

/** What happens during a measurement. */
export type Step =
  | { readonly type: "begin"; readonly report: Report }
  | { readonly type: "reading"; readonly contender: ContenderId; readonly reading: Reading }
  | { readonly type: "doing"; readonly doing: string; readonly done: number }
  | { readonly type: "progress"; readonly contender: ContenderId; readonly progress: number }
  | { readonly type: "end" }
  | { readonly type: "abort" }
  | { readonly type: "fail"; readonly note: Note };

/** The measurement after one more step. Steps that come when nothing is running change nothing. */
export function advance(measurement: Measurement, step: Step): Measurement {
  if (step.type === "begin") return { state: "running", report: step.report, doing: "Loading", done: 0 };
  if (step.type === "fail") return { state: "failed", note: step.note };
  if (measurement.state !== "running") return measurement;
  const { report } = measurement;
  switch (step.type) {
    case "reading":
      return { ...measurement, report: withReading(report, step.contender, step.reading) };
    case "doing":
      return { ...measurement, doing: step.doing, done: step.done };
    case "progress": {
      const reading = report.readings[step.contender];
      if (reading?.state !== "measuring") return measurement;
      const moved = { ...reading, progress: step.progress };
      return { ...measurement, report: withReading(report, step.contender, moved) };
    }
    case "end":
      return { state: "done", report };
    case "abort":
      return { state: "aborted", report };
  }
}

function withReading(report: Report, contender: ContenderId, reading: Reading): Report {
  return { ...report, readings: { ...report.readings, [contender]: reading } };
}

/** The samples a reading has so far. */
export function samplesOf(reading: Reading | undefined): readonly Sample[] {
  return reading?.state === "measuring" || reading?.state === "measured" ? reading.samples : [];
}

/** The contenders of a report, in the order in which they are shown. */
export function contendersOf(report: Report): ContenderId[] {
  return contenderIds.filter((contender) => report.readings[contender] !== undefined);
}
