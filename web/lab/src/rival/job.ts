import type { Size, Triple } from "@tombolo/web";

/** What the page asks of the worker that runs the JavaScript. Buffers in it are moved, not copied. */
export type RivalJob =
  | ({ readonly kernel: "blur"; readonly pixels: Uint8ClampedArray<ArrayBuffer>; readonly sigma: number } & Size)
  | ({ readonly kernel: "resize"; readonly pixels: Uint8ClampedArray<ArrayBuffer>; readonly to: Size } & Size)
  | ({
      readonly kernel: "preprocess";
      readonly pixels: Uint8ClampedArray<ArrayBuffer>;
      readonly to: Size;
      readonly mean: Triple;
      readonly std: Triple;
    } & Size)
  | {
      readonly kernel: "sort";
      readonly json: Uint8Array<ArrayBuffer>;
      readonly key: string;
      readonly descending: boolean;
      readonly into: "order" | "bytes";
    }
  | { readonly kernel: "crc"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kernel: "crc-file"; readonly file: Blob }
  | {
      readonly kernel: "matmul";
      readonly a: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
      readonly b: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
      readonly m: number;
      readonly k: number;
      readonly n: number;
    }
  | { readonly kernel: "fibonacci"; readonly n: number };

/** What each job comes to. */
export interface RivalResults {
  blur: Uint8ClampedArray<ArrayBuffer>;
  resize: Uint8ClampedArray<ArrayBuffer>;
  preprocess: Float32Array<ArrayBuffer>;
  /** Row numbers in order, or the sorted text. */
  sort: Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
  crc: number;
  "crc-file": number;
  matmul: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
  fibonacci: bigint;
}

export type RivalAnswer =
  | { readonly state: "progress"; readonly fraction: number }
  | { readonly state: "done"; readonly computeMs: number; readonly result: RivalResults[keyof RivalResults] }
  | { readonly state: "failed"; readonly message: string; readonly code?: string; readonly offset?: number };

export interface RivalDone<K extends keyof RivalResults> {
  readonly result: RivalResults[K];
  readonly computeMs: number;
}
