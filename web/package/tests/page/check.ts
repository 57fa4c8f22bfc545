// What the tests in the page check with: few, and each says what it found.

import { KernelError, type KernelErrorCode, type Kernels, type LoadOptions, loadKernels } from "@tombolo/web";

/** One test in the page, on kernels of the tier that is being tested. */
export type Case = (kernels: Kernels) => Promise<void> | void;
export type Cases = Readonly<Record<string, Case>>;
/** One test that loads kernels itself. */
export type LoadingCase = () => Promise<void>;
export type LoadingCases = Readonly<Record<string, LoadingCase>>;

export function equal<T>(actual: T, expected: T, what = "value"): void {
  if (Object.is(actual, expected)) return;
  throw new Error(`${what}: expected ${String(expected)}, found ${String(actual)}`);
}

export function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(`expected: ${what}`);
}

/** Two arrays of numbers agree within so much. */
export function near(actual: ArrayLike<number>, expected: ArrayLike<number>, most: number, what = "array"): void {
  equal(actual.length, expected.length, `${what}: length`);
  for (let index = 0; index < expected.length; index += 1) {
    const [a, b] = [actual[index] as number, expected[index] as number];
    if (!(Math.abs(a - b) <= most)) throw new Error(`${what}[${index}]: expected ${b} within ${most}, found ${a}`);
  }
}

/** The error that the work rejects with, of this code and with this in its message. */
export async function fails(
  work: Promise<unknown> | (() => unknown),
  code: KernelErrorCode,
  says = "",
): Promise<KernelError> {
  let error: unknown;
  try {
    await (typeof work === "function" ? work() : work);
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof KernelError)) throw new Error(`expected a KernelError, found ${String(error)}`);
  if (error.code !== code) throw new Error(`expected \`${code}\`, found \`${error.code}\`: ${error.message}`);
  if (!error.message.includes(says)) throw new Error(`expected \`${says}\` in: ${error.message}`);
  return error;
}

/** Loads kernels for one test, and closes them after it. */
export async function loaded(options: LoadOptions, test: Case): Promise<void> {
  const kernels = await loadKernels(options);
  try {
    await test(kernels);
  } finally {
    await kernels.close();
  }
}

/** Numbers that look random and are the same every time: xorshift. */
export function random(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function noise(bytes: number, seed = 7): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return Uint8Array.from({ length: bytes }, () => next() * 256);
}
