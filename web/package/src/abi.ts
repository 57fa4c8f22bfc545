// The face of the wasm modules, as `web/kernels-wasm` exports it. Pointers are byte offsets into
// its memory; a status is 0 or one of `STATUS`.

import type { KernelErrorCode } from "./errors.js";
import type { Tier } from "./types.js";

/** What `tk_abi()` answers in the modules this package was written for. */
export const ABI = 1;

/** Bits of `tk_features()`. */
export const FEATURE = { simd: 1, relaxedSimd: 2, threads: 4 } as const;

/** The functions of a module. None traps on bad input. */
export interface KernelExports {
  tk_abi(): number;
  tk_features(): number;
  /** The status of the last error of this thread. */
  tk_error_status(): number;
  tk_error_offset(): number;
  tk_error_reason(out: number, outLength: number): number;
  tk_alloc(bytes: number, align: number): number;
  tk_free(pointer: number, bytes: number, align: number): void;
  tk_nop(): void;
  tk_fibonacci(n: number): bigint;
  tk_crc32(state: number, pointer: number, length: number): number;
  tk_blur(pixels: number, width: number, height: number, sigma: number): number;
  tk_release_scratch(): void;
  tk_resize(source: number, width: number, height: number, out: number, toWidth: number, toHeight: number): number;
  tk_preprocess(
    source: number,
    width: number,
    height: number,
    out: number,
    toWidth: number,
    toHeight: number,
    mean: number,
    std: number,
  ): number;
  tk_matmul_f32(a: number, b: number, c: number, m: number, k: number, n: number): number;
  tk_matmul_f64(a: number, b: number, c: number, m: number, k: number, n: number): number;
  tk_sort_json(bytes: number, length: number, key: number, keyLength: number, descending: number): number;
  tk_sorted_rows(handle: number): number;
  tk_sorted_permutation(handle: number): number;
  tk_sorted_starts(handle: number): number;
  tk_sorted_ends(handle: number): number;
  tk_sorted_bytes_len(handle: number): number;
  tk_sorted_write(handle: number, bytes: number, length: number, out: number, outLength: number): number;
  tk_sorted_free(handle: number): void;
  tk_equal(a: number, b: number, length: number): number;
  /** Only in the threads module: makes this thread a helper. Comes back after `tk_pool_stop`. */
  tk_pool_worker?(): number;
  /** How many threads a kernel would use now, this one included. */
  tk_pool_size(): number;
  tk_pool_stop(): void;
}

/** Statuses that are errors. */
export const STATUS: ReadonlyMap<number, KernelErrorCode> = new Map([
  [-1, "bad-size"],
  [-2, "bad-number"],
  [-3, "out-of-memory"],
  [-4, "aborted"],
  [-5, "invalid-json"],
  [-6, "not-rows"],
  [-7, "bad-key"],
  [-8, "bad-key"],
  [-9, "unsupported"],
]);

/** What to say of a status for which the module gave no reason. */
export const STATUS_TEXT: Readonly<Record<KernelErrorCode, string>> = {
  "bad-size": "sizes do not match, are zero or too large",
  "bad-number": "a number is not finite or out of its range",
  "out-of-memory": "the kernels' memory is full",
  aborted: "the work was aborted",
  "invalid-json": "the text is not JSON",
  "not-rows": "the text is not an array of objects",
  "bad-key": "the key is empty or has an empty segment",
  unsupported: "this build of the kernels cannot do this",
  busy: "work has the buffer",
  freed: "the buffer was freed",
  closed: "the kernels were closed",
  load: "the kernels could not be loaded",
  crashed: "the worker crashed",
};

export const TIERS: readonly Tier[] = ["threads", "simd", "baseline"];
export const PAGE_BYTES = 65_536;
/** Alignment of everything that kernels are handed: a cache line, and more than a vector. */
export const ALIGN = 64;
/** Bytes of one RGBA pixel. */
export const PIXEL_BYTES = 4;
