// Who runs what. A contest is one workload; a contestant is made once with its own inputs and then
// runs again and again. `run` leaves a result, which `result` shows for comparison: results that do
// not agree end the bench.

import { rivals } from "../../rivals/src/index.js";
import { CanvasBlur, CanvasResize } from "../../rivals/src/canvas.js";
import { sortRows } from "../../package/dist/sort-rows.js";
import { MEAN, SIZES, STD, matrices, noise, picture, rows } from "./inputs.js";

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {() => void} run
 * @property {() => ArrayLike<number>} [result] of the first run
 * @property {number} [tolerance] by which a result may differ from the first contestant's
 * @property {number} [calls] that one run makes, if the figure is of one call
 */

/** @typedef {{ name: string, kernels: import("../../package/dist/direct.js").DirectKernels }} Wasm */

const inBrowser = typeof OffscreenCanvas !== "undefined";

/**
 * Workloads by name, in the order of the table. Each makes its contestants, JavaScript first.
 * @type {Record<string, (wasm: Wasm[]) => Promise<Contestant[]> | Contestant[]>}
 */
export const workloads = {
  fibonacci: (wasm) => [
    numeric("JavaScript", () => rivals.fibonacci(SIZES.fibonacci)),
    ...wasm.map(({ name, kernels }) => numeric(name, () => Number(kernels.exports.tk_fibonacci(SIZES.fibonacci)))),
  ],
  crc32: crc32Contestants,
  matmul: matmulContestants,
  blur: blurContestants,
  preprocess: preprocessContestants,
  sort: sortContestants,
  "sort-bytes": sortBytesContestants,
  objects: objectContestants,
  copy: copyContestants,
  nop: (wasm) => wasm.map(({ name, kernels }) => ({ name, calls: 10_000_000, run: () => callNothing(kernels) })),
};

/**
 * @param {string} name
 * @param {() => number} compute
 * @returns {Contestant}
 */
function numeric(name, compute) {
  let value = 0;
  return { name, run: () => void (value = compute()), result: () => [value] };
}

/** @param {Wasm[]} wasm */
async function crc32Contestants(wasm) {
  const bytes = noise(SIZES.crcBytes);
  const zlib = inBrowser ? undefined : await import("node:zlib");
  const native = /** @type {{ crc32?: (bytes: Uint8Array) => number } | undefined} */ (zlib)?.crc32;
  return [
    numeric("JavaScript, slicing by 8", () => rivals.crc32SlicingBy8(0, bytes)),
    numeric("JavaScript, elimination", () => rivals.crc32(0, bytes)),
    ...(native ? [numeric("zlib.crc32", () => native(bytes))] : []),
    ...wasm.map(({ name, kernels }) => {
      const at = kernels.copyIn(bytes);
      return numeric(name, () => kernels.exports.tk_crc32(0, at, bytes.length) >>> 0);
    }),
  ];
}

/** @param {Wasm[]} wasm */
function matmulContestants(wasm) {
  const n = SIZES.matrix;
  const { a, b } = matrices(n);
  let c = /** @type {Float32Array} */ (new Float32Array(0));
  return [
    { name: "JavaScript", run: () => void (c = rivals.matmulF32(a, b, { m: n, k: n, n })), result: () => c, tolerance: 1e-3 },
    ...wasm.map(({ name, kernels }) => {
      const [left, right] = [kernels.copyIn(a), kernels.copyIn(b)];
      const out = kernels.alloc(4 * n * n);
      return {
        name,
        run: () => kernels.check(kernels.exports.tk_matmul_f32(left, right, out, n, n, n)),
        result: () => new Float32Array(kernels.memory.buffer, out, n * n).slice(),
        tolerance: 1e-3,
      };
    }),
  ];
}

/** @param {Wasm[]} wasm */
function blurContestants(wasm) {
  const pixels = picture(SIZES.image);
  const { width, height } = SIZES.image;
  // In place: a later run blurs what an earlier one left, which takes as long.
  const inPlace = (/** @type {string} */ name, /** @type {typeof rivals.blur} */ blur) => {
    const own = pixels.slice();
    return { name, run: () => blur(own, SIZES.image, SIZES.sigma), result: () => own, tolerance: 2 };
  };
  return [
    inPlace("JavaScript, separable", rivals.blurSeparable),
    inPlace("JavaScript, two values a number", rivals.blurPacked),
    ...(inBrowser ? [canvasBlur(pixels)] : []),
    ...wasm.map(({ name, kernels }) => {
      const at = kernels.copyIn(pixels);
      return {
        name,
        run: () => kernels.check(kernels.exports.tk_blur(at, width, height, SIZES.sigma)),
        result: () => kernels.bytes(at, pixels.length).slice(),
        tolerance: 2,
      };
    }),
  ];
}

/**
 * No tolerance: it is another blur, see `CanvasBlur`.
 * @param {Uint8Array} pixels
 * @returns {Contestant}
 */
function canvasBlur(pixels) {
  const canvas = new CanvasBlur(SIZES.image);
  let image = imageData(pixels, SIZES.image);
  return { name: "canvas filter", run: () => void (image = canvas.blur(image, SIZES.sigma)) };
}

/**
 * @param {Uint8Array} pixels
 * @param {{ width: number, height: number }} size
 */
function imageData(pixels, { width, height }) {
  const image = new ImageData(width, height);
  image.data.set(pixels);
  return image;
}

/** @param {Wasm[]} wasm */
function preprocessContestants(wasm) {
  const pixels = picture(SIZES.image);
  const { image, target } = SIZES;
  const count = 3 * target.width * target.height;
  const tolerance = 2 / 255 / Math.min(...STD);
  let planes = /** @type {Float32Array} */ (new Float32Array(0));
  const canvas = inBrowser ? new CanvasResize(image, target) : undefined;
  const source = inBrowser ? imageData(pixels, image) : undefined;
  return [
    { name: "JavaScript", run: () => void (planes = rivals.preprocess(pixels, image, target, MEAN, STD)), result: () => planes },
    ...(canvas && source ? [{ name: "canvas drawImage, resize only", run: () => void canvas.resize(source) }] : []),
    ...wasm.map(({ name, kernels }) => {
      const [at, mean, std] = [kernels.copyIn(pixels), kernels.copyIn(Float32Array.from(MEAN)), kernels.copyIn(Float32Array.from(STD))];
      const out = kernels.alloc(4 * count);
      const { tk_preprocess } = kernels.exports;
      return {
        name,
        run: () => kernels.check(tk_preprocess(at, image.width, image.height, out, target.width, target.height, mean, std)),
        result: () => new Float32Array(kernels.memory.buffer, out, count).slice(),
        tolerance,
      };
    }),
  ];
}

const ORDER = { key: SIZES.key };

/**
 * Rows that were sorted as a permutation: each knows where it stood.
 * @param {{ id: number }[]} sorted
 */
function ids(sorted) {
  return Uint32Array.from(sorted, ({ id }) => id);
}

/** @param {Wasm[]} wasm */
function sortContestants(wasm) {
  const bytes = rows(SIZES.rows);
  let sorted = /** @type {{ id: number }[]} */ ([]);
  let order = /** @type {Uint32Array} */ (new Uint32Array(0));
  const result = () => order;
  return [
    { name: "JSON.parse + sort", run: () => void (sorted = /** @type {any} */ (rivals.sortJsonByComparison(bytes, ORDER))), result: () => ids(sorted) },
    { name: "JSON.parse + radix sort", run: () => void (order = rivals.sortJson(bytes, ORDER).permutation), result },
    { name: "JavaScript, scan + radix sort", run: () => void (order = rivals.sortJsonByScan(bytes, ORDER).permutation), result },
    ...wasm.map(({ name, kernels }) => {
      const sort = sorter(kernels, bytes);
      return { name, run: () => sort.free(sort.handle()), result: sort.permutation };
    }),
  ];
}

/** @param {Wasm[]} wasm */
function sortBytesContestants(wasm) {
  const bytes = rows(SIZES.rows);
  let sorted = /** @type {Uint8Array} */ (new Uint8Array(0));
  return [
    {
      name: "JSON.parse + sort + stringify",
      run: () => void (sorted = rivals.sortJsonToBytesByComparison(bytes, ORDER)),
      result: () => sorted,
    },
    { name: "JSON.parse + radix sort + stringify", run: () => void (sorted = rivals.sortJsonToBytes(bytes, ORDER)), result: () => sorted },
    { name: "JavaScript, scan + radix sort", run: () => void (sorted = rivals.sortJsonToBytesByScan(bytes, ORDER)), result: () => sorted },
    ...wasm.map(({ name, kernels }) => {
      const sort = sorter(kernels, bytes);
      const out = kernels.alloc(bytes.length);
      return { name, run: () => sort.write(out), result: () => kernels.bytes(out, bytes.length).slice() };
    }),
  ];
}

/**
 * @param {import("../../package/dist/direct.js").DirectKernels} kernels
 * @param {Uint8Array} bytes
 */
function sorter(kernels, bytes) {
  const { exports } = kernels;
  const key = new TextEncoder().encode(SIZES.key);
  const [at, keyAt] = [kernels.copyIn(bytes), kernels.copyIn(key)];
  const free = (/** @type {number} */ handle) => exports.tk_sorted_free(handle);
  const handle = () => {
    const handle = exports.tk_sort_json(at, bytes.length, keyAt, key.length, 0);
    if (handle === 0) throw kernels.error(exports.tk_error_status());
    return handle;
  };
  return {
    handle,
    free,
    permutation: () => {
      const sorted = handle();
      const view = new Uint32Array(kernels.memory.buffer, exports.tk_sorted_permutation(sorted) >>> 0, exports.tk_sorted_rows(sorted));
      const permutation = view.slice();
      free(sorted);
      return permutation;
    },
    write: (/** @type {number} */ out) => {
      const sorted = handle();
      kernels.check(exports.tk_sorted_write(sorted, at, bytes.length, out, exports.tk_sorted_bytes_len(sorted)));
      free(sorted);
    },
  };
}

/**
 * Rows that are objects already: what it costs to take them into wasm, as JSON, is the point.
 * @param {Wasm[]} wasm
 * @returns {Contestant[]}
 */
function objectContestants(wasm) {
  const objects = /** @type {{ id: number }[]} */ (JSON.parse(new TextDecoder().decode(rows(SIZES.rows))));
  let sorted = objects;
  let order = /** @type {Uint32Array} */ (new Uint32Array(0));
  const result = () => order;
  const best = wasm.find(({ name }) => name === "wasm simd");
  return [
    { name: "sort", run: () => void (sorted = rivals.sortRowsByComparison(objects, ORDER)), result: () => ids(sorted) },
    { name: "JavaScript, radix sort", run: () => void (order = rivals.sortRows(objects, ORDER)), result },
    { name: "`sortRows` of @tombolo/web", run: () => void (order = sortRows(objects, SIZES.key)), result },
    ...(best ? [{ name: "wasm simd, through JSON.stringify", run: () => void (order = throughText(best.kernels, objects)), result }] : []),
  ];
}

/**
 * @param {import("../../package/dist/direct.js").DirectKernels} kernels
 * @param {object[]} objects
 */
function throughText(kernels, objects) {
  const bytes = new TextEncoder().encode(JSON.stringify(objects));
  const at = kernels.copyIn(bytes);
  const key = new TextEncoder().encode(SIZES.key);
  const keyAt = kernels.copyIn(key);
  const { exports } = kernels;
  const handle = exports.tk_sort_json(at, bytes.length, keyAt, key.length, 0);
  if (handle === 0) throw kernels.error(exports.tk_error_status());
  const count = exports.tk_sorted_rows(handle);
  const order = new Uint32Array(kernels.memory.buffer, exports.tk_sorted_permutation(handle) >>> 0, count).slice();
  exports.tk_sorted_free(handle);
  kernels.free(keyAt, key.length);
  kernels.free(at, bytes.length);
  return order;
}

/**
 * What the figures above leave out where data does not arrive in wasm memory: bringing it there.
 * @param {Wasm[]} wasm
 * @returns {Contestant[]}
 */
function copyContestants(wasm) {
  const bytes = noise(SIZES.crcBytes);
  return wasm.map(({ name, kernels }) => {
    const at = kernels.alloc(bytes.length);
    return { name, run: () => kernels.bytes(at, bytes.length).set(bytes) };
  });
}

/** @param {import("../../package/dist/direct.js").DirectKernels} kernels */
function callNothing({ exports }) {
  for (let i = 0; i < 10_000_000; i++) exports.tk_nop();
}
