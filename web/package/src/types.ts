// What `@tombolo/web` offers, as types. The README says the same in prose.

/**
 * Which build of the kernels runs:
 * - `threads`: shared memory, several cores, SIMD; needs a cross-origin isolated page,
 * - `simd`: one core per piece of work, SIMD,
 * - `baseline`: WebAssembly without SIMD, for browsers before about 2023.
 */
export type Tier = "threads" | "simd" | "baseline";

/** What this browser and page allow, and what was made of it. */
export interface Environment {
  /** Whether the page is served with COOP and COEP, and so may share memory with workers. */
  readonly crossOriginIsolated: boolean;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Whether the engine has shared memory and atomics *and* the page may use them. */
  readonly threads: boolean;
  /** Cores the browser admits to having. */
  readonly cores: number;
  /** The build that runs. */
  readonly tier: Tier;
  /** Threads that compute at the same time, at most. */
  readonly workers: number;
  /** In words: why not a better tier, and what has failed since. May grow. */
  readonly notes: readonly string[];
}

export interface LoadOptions {
  /** `auto`, the default, takes the best one that runs here. */
  readonly tier?: Tier | "auto";
  /** Threads that compute at the same time. Default: the cores, at most 8 with `threads`, 4 without. */
  readonly workers?: number;
  /** A folder with `relaxed.wasm`, `threads.wasm`, `simd.wasm` and `baseline.wasm`, if not this package's own. */
  readonly baseUrl?: string | URL;
  /**
   * The most bytes that buffers may take. Default 1 GiB, at most 4 GiB. With `threads` it is the
   * size to which the shared memory may grow, kernels' own scratch included.
   */
  readonly memoryBytesMax?: number;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

/** Where the time of a piece of work went, in milliseconds, both in the worker. */
export interface Timing {
  readonly computeMs: number;
  /** Into and out of the kernels' memory; 0 where the memory is shared. */
  readonly copyMs: number;
}

/** What every piece of work can be told. */
export interface Work {
  /** Ends the work: its promise rejects with `aborted`, with the signal's reason as cause. */
  readonly signal?: AbortSignal;
  /** Called with 0 to 1, ascending, at most every few frames. Short work may not call it at all. */
  readonly onProgress?: (fraction: number) => void;
  /** Called once, when the work has succeeded. */
  readonly onTiming?: (timing: Timing) => void;
}

/**
 * Bytes that kernels work on. With `threads` they lie in the kernels' memory from the start, and
 * nothing copies them; else they lie on the page, and are moved to a worker and back by each work.
 *
 * A view is good until the buffer is freed or given to work, and no longer: take a new one each time.
 */
export interface KernelBuffer extends Disposable {
  readonly byteLength: number;
  /** Whether kernels read and write these very bytes. */
  readonly zeroCopy: boolean;
  /** @throws KernelError `busy` while work has it, `freed` after {@link free}. So do the other three. */
  bytes(): Uint8Array;
  /** The bytes as `ImageData` holds them. */
  pixels(): Uint8ClampedArray;
  /** @throws KernelError `bad-size` unless the length is a multiple of 4. */
  floats(): Float32Array;
  /** @throws KernelError `bad-size` unless the length is a multiple of 8. */
  doubles(): Float64Array;
  /** Gives the memory back, at once or when the work that has the buffer has settled. Twice is fine. */
  free(): void;
}

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How much to blur, in pixels: a radius is two sigmas, as in CSS and canvas a sigma is given. */
export type BlurStrength =
  | { readonly sigma: number; readonly radius?: never }
  | { readonly radius: number; readonly sigma?: never };

export type BlurOptions = Size & BlurStrength & Work;
export type ResizeOptions = Size & { readonly to: Size } & Work;
export type Triple = readonly [number, number, number];

export interface PreprocessOptions extends Size, Work {
  readonly to: Size;
  /** Per channel of 0 to 1. Default 0, 0, 0. */
  readonly mean?: Triple;
  /** Per channel, above 0. Default 1, 1, 1. */
  readonly std?: Triple;
}

export interface SortJsonOptions extends Work {
  /** The member to sort by; `a.b` is member `b` of member `a`. */
  readonly key: string;
  readonly descending?: boolean;
}

export interface MatmulOptions extends Work {
  /** Rows of `a` and of the product. */
  readonly m: number;
  /** Columns of `a`, rows of `b`. */
  readonly k: number;
  /** Columns of `b` and of the product. */
  readonly n: number;
  /** What the buffers hold. Default `f32`. */
  readonly precision?: "f32" | "f64";
}

/**
 * The order of the rows of a JSON array, without the rows: they stay text in the buffer that was
 * sorted, which must not be freed or written to before this is.
 */
export interface SortedRows extends Disposable {
  readonly rows: number;
  /** Position in the order → number of the row in the text. A fresh view each time. */
  permutation(): Uint32Array;
  /** The JSON text of the row at a position. */
  text(position: number): string;
  /** The row at a position, parsed. */
  row(position: number): unknown;
  /** The whole array in order, as JSON text in a new buffer. */
  toBytes(work?: Work): Promise<KernelBuffer>;
  free(): void;
}

/** What {@link Kernels.from} takes. */
export type Source =
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

/** Kernels that are loaded: workers are running, work can be given. */
export interface Kernels extends AsyncDisposable {
  readonly environment: Environment;
  /** Zeroed bytes. @throws KernelError `out-of-memory`, `bad-size`, `closed`. */
  alloc(bytes: number): KernelBuffer;
  /** A buffer with a copy of the data; of streams and blobs, piece by piece as they come. */
  from(data: Source, work?: Work): Promise<KernelBuffer>;
  /** Gaussian blur of RGBA, in place. */
  blur(pixels: KernelBuffer, how: BlurOptions): Promise<void>;
  /** Bicubic, RGBA to RGBA. */
  resize(pixels: KernelBuffer, how: ResizeOptions): Promise<KernelBuffer>;
  /** RGBA to three planes of f32, R, G, B: resized, divided by 255, less `mean`, divided by `std`. */
  preprocess(pixels: KernelBuffer, how: PreprocessOptions): Promise<KernelBuffer>;
  /** Sorts a JSON array of objects by a number or text in each, without parsing it into objects. */
  sortJson(json: KernelBuffer, how: SortJsonOptions): Promise<SortedRows>;
  /** CRC-32 (IEEE, as in zip and PNG). Blobs and streams of any size, in flat memory. */
  crc32(data: KernelBuffer | ArrayBufferView | Blob | ReadableStream<Uint8Array>, work?: Work): Promise<number>;
  /** The product of two matrices, row by row. */
  matmul(a: KernelBuffer, b: KernelBuffer, how: MatmulOptions): Promise<KernelBuffer>;
  /** The doubly recursive one: it measures calls. `n` is at most 93, the last that fits 64 bits. */
  fibonacci(n: number, work?: Work): Promise<bigint>;
  /** Whether two secrets are equal, in a time that depends on their lengths only. */
  equal(a: Uint8Array, b: Uint8Array): Promise<boolean>;
  /** Ends the workers. Work under way rejects with `closed`, buffers can no longer be used. */
  close(): Promise<void>;
}
