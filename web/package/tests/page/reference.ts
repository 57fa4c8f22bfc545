// The kernels in plain JavaScript, as their definitions read: slow, in doubles, and easy to check.

import type { Size } from "@tombolo/web";

/** Colours times their alpha, as four numbers a pixel. */
function premultiply(pixels: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: pixels.length }, (_, index) => {
    const alpha = pixels[index | 3] as number;
    return (index & 3) === 3 ? alpha : ((pixels[index] as number) * alpha) / 255;
  });
}

function unpremultiply(pixels: Float64Array): Float64Array {
  return pixels.map((value, index) => {
    const alpha = pixels[index | 3] as number;
    return (index & 3) === 3 ? alpha : alpha > 0 ? (value * 255) / alpha : 0;
  });
}

function clamp(index: number, length: number): number {
  return Math.min(length - 1, Math.max(0, index));
}

/** Gaussian blur, cut at three sigma, edges repeated. */
export function blur(pixels: ArrayLike<number>, { width, height }: Size, sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, tap) =>
    sigma === 0 ? 1 : Math.exp(-((tap - reach) ** 2) / (2 * sigma * sigma)),
  );
  const sum = weights.reduce((a, b) => a + b);
  const pass = (from: Float64Array, at: (x: number, y: number, step: number) => number) => {
    const to = new Float64Array(from.length);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        weights.forEach((weight, tap) => {
          const source = at(x, y, tap - reach);
          for (let c = 0; c < 4; c += 1) to[(y * width + x) * 4 + c]! += (from[source * 4 + c]! * weight) / sum;
        });
      }
    }
    return to;
  };
  const rows = pass(premultiply(pixels), (x, y, step) => y * width + clamp(x + step, width));
  return unpremultiply(pass(rows, (x, y, step) => clamp(y + step, height) * width + x));
}

/** Catmull-Rom's cubic. */
function cubic(x: number): number {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/** For each target pixel of a row, the source pixels it is made of. */
function taps(from: number, to: number): { at: number; weight: number }[][] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, target) => {
    const centre = (target + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 2 * stretch + 0.5));
    const last = Math.min(from, Math.floor(centre + 2 * stretch + 0.5));
    const list = Array.from({ length: last - first }, (_, tap) => ({
      at: first + tap,
      weight: cubic((first + tap - centre + 0.5) / stretch),
    }));
    const sum = list.reduce((total, { weight }) => total + weight, 0);
    return list.map(({ at, weight }) => ({ at, weight: weight / sum }));
  });
}

/** Bicubic resize, widened when shrinking. */
export function resize(pixels: ArrayLike<number>, from: Size, to: Size): Float64Array {
  const source = premultiply(pixels);
  const across = taps(from.width, to.width);
  const rows = new Float64Array(to.width * from.height * 4);
  for (let y = 0; y < from.height; y += 1) {
    across.forEach((list, x) => {
      for (const { at, weight } of list) {
        for (let c = 0; c < 4; c += 1) rows[(y * to.width + x) * 4 + c]! += source[(y * from.width + at) * 4 + c]! * weight;
      }
    });
  }
  const result = new Float64Array(to.width * to.height * 4);
  taps(from.height, to.height).forEach((list, y) => {
    for (const { at, weight } of list) {
      for (let i = 0; i < to.width * 4; i += 1) result[y * to.width * 4 + i]! += rows[at * to.width * 4 + i]! * weight;
    }
  });
  return unpremultiply(result).map((value) => Math.min(255, Math.max(0, value)));
}

/** Three planes of normalised numbers. */
export function preprocess(
  pixels: ArrayLike<number>,
  from: Size,
  to: Size,
  mean: readonly number[],
  std: readonly number[],
): Float64Array {
  const resized = resize(pixels, from, to);
  const plane = to.width * to.height;
  return Float64Array.from({ length: 3 * plane }, (_, index) => {
    const channel = Math.floor(index / plane);
    const value = resized[(index % plane) * 4 + channel]! / 255;
    return (value - mean[channel]!) / std[channel]!;
  });
}

export function matmul(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { m, k, n }: { m: number; k: number; n: number },
): Float64Array {
  const c = new Float64Array(m * n);
  for (let row = 0; row < m; row += 1) {
    for (let column = 0; column < n; column += 1) {
      for (let inner = 0; inner < k; inner += 1) c[row * n + column]! += a[row * k + inner]! * b[inner * n + column]!;
    }
  }
  return c;
}

/** Bit by bit, as the standard defines it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}

export function fibonacci(n: number): bigint {
  let [a, b] = [0n, 1n];
  for (let i = 0; i < n; i += 1) [a, b] = [b, a + b];
  return a;
}

const KINDS = ["number", "text", "false", "true", "tree"];

function kind(value: unknown): number {
  if (value === undefined || value === null) return -1;
  const name = typeof value === "object" ? "tree" : typeof value === "string" ? "text" : typeof value === "number" ? "number" : String(value);
  return KINDS.indexOf(name);
}

/** By kind, then by value; text by code points. */
function compare(a: unknown, b: unknown): number {
  if (kind(a) !== kind(b)) return kind(a) - kind(b);
  if (typeof a === "number") return a - (b as number) || 0;
  if (typeof a !== "string") return 0;
  const [left, right] = [[...a], [...(b as string)]].map((points) => points.map((point) => point.codePointAt(0)!));
  for (let i = 0; i < Math.min(left!.length, right!.length); i += 1) {
    if (left![i] !== right![i]) return left![i]! - right![i]!;
  }
  return left!.length - right!.length;
}

/** The order of rows by parsing all of them: `Array.prototype.sort` is stable. */
export function sortJson(json: string, key: string, descending = false): number[] {
  const rows = JSON.parse(json) as unknown[];
  const path = key.split(".");
  const keys = rows.map((row) =>
    path.reduce<unknown>(
      (value, name) =>
        typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
          ? (value as Record<string, unknown>)[name]
          : undefined,
      row,
    ),
  );
  const sign = descending ? -1 : 1;
  return rows.map((_, index) => index).sort((a, b) => sign * compare(keys[a], keys[b]));
}
