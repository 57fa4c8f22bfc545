// What the page and its workers say to each other.

import type { KernelErrorCode } from "./errors.js";
import type { Size, Tier, Timing, Triple } from "./types.js";

/** Bytes for a job: where they lie in the shared memory, or the bytes themselves, moved over. */
export type Operand = { readonly at: number; readonly bytes: number } | { readonly moved: ArrayBuffer };

/** Where a job's new buffer goes: an address in the shared memory, or nothing: the worker makes one. */
export type Out = number | undefined;

/** One call of a kernel. Its buffers are the message's operands, in the order of its arguments. */
export type Job =
  | ({ readonly op: "blur"; readonly sigma: number } & Size)
  | ({ readonly op: "resize"; readonly to: Size; readonly out: Out } & Size)
  | ({
      readonly op: "preprocess";
      readonly to: Size;
      readonly mean: Triple;
      readonly std: Triple;
      readonly out: Out;
    } & Size)
  | ({ readonly op: "sort" } & Order)
  | ({ readonly op: "write"; readonly handle: number | undefined; readonly length: number; readonly out: Out } & Order)
  | { readonly op: "crc32"; readonly state: number }
  | {
      readonly op: "matmul";
      /** The operand that is the right matrix: 0 where a matrix is multiplied with itself. */
      readonly right: 0 | 1;
      readonly m: number;
      readonly k: number;
      readonly n: number;
      readonly precision: "f32" | "f64";
      readonly out: Out;
    }
  | { readonly op: "fibonacci"; readonly n: number }
  | { readonly op: "equal"; readonly a: Uint8Array; readonly b: Uint8Array };

/** What rows are sorted by. */
export interface Order {
  readonly key: string;
  readonly descending: boolean;
}

/** A sorted array inside a worker: addresses in a shared memory, or copies of the tables. */
export interface SortedTables {
  readonly handle: number;
  readonly rows: number;
  readonly length: number;
  readonly permutation: number | Uint32Array<ArrayBuffer>;
  readonly starts: number | Uint32Array<ArrayBuffer>;
  readonly ends: number | Uint32Array<ArrayBuffer>;
}

/** What a job answers; which field is set follows from its `op`. */
export interface Result {
  readonly value?: number | bigint | boolean;
  /** The new buffer, where memory is not shared. */
  readonly out?: ArrayBuffer;
  readonly sorted?: SortedTables;
}

/** How a worker takes part. */
export type Role =
  /** Runs jobs: on a memory of its own, or on the shared one with its helpers. */
  | "caller"
  /** Takes its share of what the caller computes. */
  | "helper";

export interface Start {
  readonly kind: "start";
  readonly tier: Tier;
  readonly module: WebAssembly.Module;
  readonly role: Role;
  readonly memory?: WebAssembly.Memory;
  readonly stack?: { readonly at: number; readonly bytes: number };
  /** One word: not 0 asks the running job to end. Only where memory can be shared. */
  readonly control?: SharedArrayBuffer;
}

export type ToWorker =
  | Start
  | {
      readonly kind: "job";
      readonly id: number;
      readonly job: Job;
      readonly operands: readonly Operand[];
      /** Moved operands go back unchanged before the job starts, so that ending the worker loses none. */
      readonly abortable: boolean;
      readonly progress: boolean;
    }
  /** Lets go of a sorted array. No answer. */
  | { readonly kind: "forget"; readonly handle: number };

export interface Failure {
  readonly code: KernelErrorCode;
  readonly message: string;
  readonly offset?: number | undefined;
}

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "unready"; readonly failure: Failure }
  | { readonly kind: "progress"; readonly id: number; readonly fraction: number }
  /** An operand that was moved, back on the page: unchanged, or with the job's result in it. */
  | { readonly kind: "operand"; readonly id: number; readonly index: number; readonly buffer: ArrayBuffer }
  | { readonly kind: "done"; readonly id: number; readonly result: Result; readonly timing: Timing }
  /** The job failed. After `crashed` the worker is of no more use. */
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure };
