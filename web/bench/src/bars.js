// What issue 4 asks of the kernels. `least` times as fast as who it names; `most` of a unit.

/** Without helpers; the faster of the two is compared, as the package would choose by engine. */
export const ONE_THREAD = ["wasm simd", "wasm threads, 1"];

/**
 * @typedef {object} Bar
 * @property {string} workload
 * @property {string} against a contestant, or `native`
 * @property {number} least
 * @property {readonly string[]} [who] instead of one thread
 */

const TWO_THREADS = { who: ["wasm threads, 2"], against: "wasm threads, 1", least: 1.7 };

/** @type {readonly Bar[]} */
export const SPEED_BARS = [
  { workload: "fibonacci", against: "JavaScript", least: 2.5 },
  { workload: "fibonacci", against: "native", least: 0.55 },
  { workload: "crc32", against: "JavaScript, slicing by 8", least: 2.7 },
  { workload: "matmul", against: "JavaScript", least: 9 },
  { workload: "matmul", against: "native", least: 0.45 },
  { workload: "matmul", ...TWO_THREADS },
  { workload: "blur", against: "JavaScript, separable", least: 18 },
  { workload: "blur", against: "canvas filter", least: 2.2 },
  { workload: "blur", against: "native", least: 1 },
  { workload: "blur", ...TWO_THREADS },
  { workload: "preprocess", against: "JavaScript", least: 8 },
  { workload: "preprocess", against: "native", least: 0.65 },
  { workload: "sort", against: "JSON.parse + sort", least: 17 },
  { workload: "sort", against: "native", least: 1 },
  { workload: "sort", ...TWO_THREADS },
  { workload: "sort-bytes", against: "JSON.parse + sort + stringify", least: 8 },
  { workload: "sort-bytes", against: "native", least: 0.9 },
];

export const NOP_NS_MOST = 10;
export const START_UP_MS_MOST = 50;

/** @type {Readonly<Record<string, number>>} gzip, of which a KB has 1,000 bytes */
export const GZIP_BYTES_MOST = { baseline: 50_000, simd: 60_000 };
