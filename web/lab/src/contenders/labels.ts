import type { ContenderId, KernelId } from "../bench/experiment.ts";

/** What each contender is called, short and in a sentence. */
export const contenderNames: Readonly<Record<ContenderId, string>> = {
  javascript: "JavaScript",
  baseline: "Wasm baseline",
  simd: "Wasm SIMD",
  threads: "Wasm threads",
  edge: "Edge",
};

export const contenderWhere: Readonly<Record<ContenderId, string>> = {
  javascript: "typed arrays, in a worker",
  baseline: "no SIMD, one core",
  simd: "128-bit lanes, one core",
  threads: "SIMD on every core",
  edge: "our server, same kernels",
};

export const kernelNames: Readonly<Record<KernelId, string>> = {
  blur: "Gaussian blur",
  sort: "JSON sort",
  crc: "CRC-32",
  matmul: "Matrix product",
  resize: "Resize",
  fibonacci: "Fibonacci",
};
