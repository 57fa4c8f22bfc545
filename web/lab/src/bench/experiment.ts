import type { Agreement, Outcome } from "./agreement.ts";

/** Everyone who is measured, in the order in which they are shown. */
export const contenderIds = ["javascript", "baseline", "simd", "threads", "edge"] as const;
export type ContenderId = (typeof contenderIds)[number];

export const kernelIds = ["blur", "sort", "crc", "matmul", "resize", "fibonacci"] as const;
export type KernelId = (typeof kernelIds)[number];

/** One timed run. */
export interface Sample {
  /** Time in the kernel itself, as measured where it ran. */
  readonly computeMs: number;
  /** From input on the page to result on the page: copies, messages and, for the edge, the network. */
  readonly wallMs: number;
}

/** What a run is given from outside. */
export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number) => void;
}

/** A contender with its input in place, ready to run as often as asked. */
export interface Bench {
  run(options: RunOptions): Promise<Sample>;
  /** What the last run came to. Only called after a run, never while one is being timed. */
  outcome(): Promise<Outcome>;
  close(): Promise<void>;
}

/** One kernel on one input. */
export interface Experiment {
  readonly kernel: KernelId;
  /** The input in words: `3,840 × 2,160 pixels, sigma 3`. */
  readonly subject: string;
  /** What a run works through, to state a rate. `scale` turns units per second into the rate's unit. */
  readonly rate: { readonly units: number; readonly scale: number; readonly unit: string };
  /** Throws {@link Absent} if this contender cannot take part here. */
  open(contender: ContenderId, signal: AbortSignal): Promise<Bench>;
  agree(reference: Outcome, other: Outcome): Agreement;
}

/** A contender that cannot take part on this page, and why: not a failure. */
export class Absent extends Error {
  override readonly name = "Absent";
}
