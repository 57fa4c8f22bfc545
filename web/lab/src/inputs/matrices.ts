import { randomFrom } from "./random.ts";

export type Precision = "f32" | "f64";

/** `a` has `m` rows of `k`, `b` has `k` rows of `n`; both row by row. */
export interface Matrices {
  readonly a: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
  readonly b: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly precision: Precision;
}

/** Two square matrices of numbers from −1 to 1. */
export function squareMatrices(size: number, precision: Precision): Matrices {
  const make = (seed: number): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> => {
    const values = precision === "f32" ? new Float32Array(size * size) : new Float64Array(size * size);
    const next = randomFrom(seed);
    for (let index = 0; index < values.length; index += 1) values[index] = next() * 2 - 1;
    return values;
  };
  return { a: make(11), b: make(12), m: size, k: size, n: size, precision };
}
