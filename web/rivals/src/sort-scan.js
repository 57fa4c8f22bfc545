import { readValue, scanRows } from "./json-scan.js";
import { sortMixed, sortNumbers } from "./sort-rows.js";

/**
 * Where rows lie in their text, and their order.
 * @typedef {{ permutation: Uint32Array, starts: Uint32Array, ends: Uint32Array }} SortedSpans
 */

/**
 * The algorithm of the wasm kernel, in JavaScript: no objects are made, rows stay text, keys are read
 * where they stand. What the kernel wins beyond this is wasm's, what this wins is the algorithm's.
 * @param {Uint8Array} bytes UTF-8, which is taken for granted
 * @param {import("./sort-rows.js").Order} order
 * @returns {SortedSpans}
 */
export function sortJsonByScan(bytes, { key, descending = false }) {
  const path = key.split(".").map((name) => new TextEncoder().encode(name));
  const { starts, ends, keys } = scanRows(bytes, path);
  return { permutation: sortKeys(bytes, keys, descending), starts, ends };
}

/**
 * @param {Uint8Array} bytes
 * @param {Uint32Array} keys
 * @param {boolean} descending
 */
function sortKeys(bytes, keys, descending) {
  const numbers = new Float64Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const value = keys[i] === 0 ? undefined : readValue(bytes, keys[i]);
    if (typeof value !== "number") {
      return sortMixed(Array.from(keys, (at) => (at === 0 ? undefined : readValue(bytes, at))), descending);
    }
    numbers[i] = value;
  }
  return sortNumbers(numbers, descending);
}

/**
 * From bytes to sorted bytes by the same: rows are copied as they are.
 * @param {Uint8Array} bytes UTF-8
 * @param {import("./sort-rows.js").Order} order
 * @returns {Uint8Array} UTF-8, without spaces between rows
 */
export function sortJsonToBytesByScan(bytes, order) {
  const { permutation, starts, ends } = sortJsonByScan(bytes, order);
  let length = 1 + Math.max(1, permutation.length);
  for (let i = 0; i < starts.length; i++) length += ends[i] - starts[i];
  const out = new Uint8Array(length);
  let to = 0;
  out[to++] = 0x5b; // [
  for (let i = 0; i < permutation.length; i++) {
    if (i > 0) out[to++] = 0x2c; // ,
    const row = permutation[i];
    out.set(bytes.subarray(starts[row], ends[row]), to);
    to += ends[row] - starts[row];
  }
  out[to] = 0x5d; // ]
  return out;
}
