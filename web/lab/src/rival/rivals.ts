import {
  blur as blurInPlace,
  crc32,
  fibonacci as fibonacciNumber,
  matmulF32,
  matmulF64,
  preprocess as preprocessFrom,
  resize as resizeFrom,
  sortJson as sortToOrder,
  sortJsonToBytes,
} from "@tombolo/rivals";
import type { Size, Triple } from "@tombolo/web";

// The rivals in the shape of the worker's jobs, and the fastest one of each kernel's.
// Their results are in memory of their own, never shared: the casts say what their types leave open.

export { crc32 };

/** In place: the same pixels come back. */
export function blur(pixels: Uint8ClampedArray<ArrayBuffer>, size: Size, sigma: number): Uint8ClampedArray<ArrayBuffer> {
  blurInPlace(pixels, size, sigma);
  return pixels;
}

export function resize(pixels: Uint8ClampedArray, from: Size, to: Size): Uint8ClampedArray<ArrayBuffer> {
  return resizeFrom(pixels, from, to) as Uint8ClampedArray<ArrayBuffer>;
}

export function preprocess(
  pixels: Uint8ClampedArray,
  from: Size,
  to: Size,
  normal: { readonly mean: Triple; readonly std: Triple },
): Float32Array<ArrayBuffer> {
  return preprocessFrom(pixels, from, to, normal.mean, normal.std) as Float32Array<ArrayBuffer>;
}

export function sortJson(
  json: Uint8Array,
  order: { readonly key: string; readonly descending: boolean },
  into: "order" | "bytes",
): Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  return into === "order"
    ? (sortToOrder(json, order).permutation as Uint32Array<ArrayBuffer>)
    : (sortJsonToBytes(json, order) as Uint8Array<ArrayBuffer>);
}

type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

export function matmul(a: Floats, b: Floats, shape: { m: number; k: number; n: number }): Floats {
  if (a instanceof Float32Array && b instanceof Float32Array) return matmulF32(a, b, shape) as Float32Array<ArrayBuffer>;
  if (a instanceof Float64Array && b instanceof Float64Array) return matmulF64(a, b, shape) as Float64Array<ArrayBuffer>;
  throw new TypeError("a and b have to be of one precision");
}

export function fibonacci(n: number): bigint {
  return BigInt(fibonacciNumber(n));
}
