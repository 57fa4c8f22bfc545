import { compareKeys, compareText, member } from "./sort-keys.js";

/** @typedef {{ key: string, descending?: boolean }} Order `key` is a path: `a.b` is member b of member a */

/**
 * The order of rows that are objects already, as one writes it: a copy, `sort`, a comparison.
 * @template T
 * @param {readonly T[]} rows
 * @param {Order} order
 * @returns {T[]}
 */
export function sortRowsByComparison(rows, { key, descending = false }) {
  const path = key.split(".");
  const sign = descending ? -1 : 1;
  const value = path.length === 1 && rows.every((row) => isNumber(row, key))
    ? null // Then no row needs more than a subtraction.
    : rows.map((row) => member(row, path));
  if (value === null) {
    const numbered = /** @type {Record<string, number>[]} */ (/** @type {unknown} */ (rows.slice()));
    numbered.sort(descending ? (a, b) => b[key] - a[key] || 0 : (a, b) => a[key] - b[key] || 0);
    return /** @type {T[]} */ (/** @type {unknown} */ (numbered));
  }
  const order = rows.map((_, i) => i).sort((a, b) => sign * compareKeys(value[a], value[b]));
  return order.map((i) => rows[i]);
}

/**
 * @param {unknown} row
 * @param {string} key
 */
function isNumber(row, key) {
  return typeof row === "object" && row !== null && Object.hasOwn(row, key) &&
    Number.isFinite(/** @type {Record<string, unknown>} */ (row)[key]);
}

/**
 * The order of rows that are objects already, by radix sort of their keys: position to row.
 * @param {readonly unknown[]} rows
 * @param {Order} order
 * @returns {Uint32Array}
 */
export function sortRows(rows, { key, descending = false }) {
  const path = key.split(".");
  const keys = new Float64Array(rows.length);
  if (path.length === 1) {
    // One place in the code that reads one member stays monomorphic, and so fast.
    for (let i = 0; i < rows.length; i++) {
      const row = /** @type {Record<string, unknown>} */ (rows[i]);
      const value = typeof row === "object" && row !== null ? row[key] : undefined;
      if (typeof value !== "number" || value !== value) return sortMixed(rows.map((row) => member(row, path)), descending);
      keys[i] = value;
    }
    return sortNumbers(keys, descending);
  }
  return sortMixed(rows.map((row) => member(row, path)), descending);
}

/**
 * @param {readonly unknown[]} values
 * @param {boolean} descending
 * @returns {Uint32Array}
 */
export function sortMixed(values, descending) {
  /** @type {Uint32Array} */
  const order = Uint32Array.from(values, (_, i) => i);
  if (values.every((value) => typeof value === "number")) {
    return sortNumbers(Float64Array.from(/** @type {readonly number[]} */ (values)), descending);
  }
  const texts = /** @type {readonly string[]} */ (values);
  const compare = values.every((value) => typeof value === "string")
    ? (/** @type {number} */ a, /** @type {number} */ b) => compareText(texts[a], texts[b])
    : (/** @type {number} */ a, /** @type {number} */ b) => compareKeys(values[a], values[b]);
  return order.sort(descending ? (a, b) => compare(b, a) : compare); // Stable, since ES2019.
}

const DIGIT_BITS = 11; // 2048 counters of 4 bytes stay in the first cache; six passes cover 64 bits.
const DIGITS = 1 << DIGIT_BITS;

/**
 * The order of numbers, none of them NaN: position to index. Stable.
 *
 * Radix sort, least digit first, of bits that are ordered as the numbers are. All digits are
 * counted in one pass; a digit that all numbers share costs none.
 * @param {Float64Array} keys
 * @param {boolean} descending
 * @returns {Uint32Array}
 */
export function sortNumbers(keys, descending) {
  const { low, high } = orderedBits(keys, descending);
  const count = keys.length;
  let from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[i] = i;
  let to = new Uint32Array(count);
  for (const { half, shift, bits } of DIGITS_OF_HALVES) {
    const word = half === 0 ? low : high;
    const mask = (1 << bits) - 1;
    const starts = new Uint32Array(DIGITS);
    for (let i = 0; i < count; i++) starts[(word[i] >>> shift) & mask]++;
    if (count > 0 && starts[(word[0] >>> shift) & mask] === count) continue;
    for (let digit = 0, sum = 0; digit <= mask; digit++) {
      const here = starts[digit];
      starts[digit] = sum;
      sum += here;
    }
    for (let i = 0; i < count; i++) {
      const index = from[i];
      to[starts[(word[index] >>> shift) & mask]++] = index;
    }
    [from, to] = [to, from];
  }
  return from;
}

const DIGITS_OF_HALVES = [0, 1].flatMap((half) => [
  { half, shift: 0, bits: DIGIT_BITS },
  { half, shift: DIGIT_BITS, bits: DIGIT_BITS },
  { half, shift: 2 * DIGIT_BITS, bits: 32 - 2 * DIGIT_BITS },
]);

/**
 * Both halves of each number's bits, changed so that they are ordered as unsigned numbers. Zeros of
 * both signs are alike.
 * @param {Float64Array} keys
 * @param {boolean} descending
 */
function orderedBits(keys, descending) {
  const low = new Uint32Array(keys.length);
  const high = new Uint32Array(keys.length);
  const number = new Float64Array(1);
  const [bits, lowAt, highAt] = halves(number);
  const flip = descending ? -1 : 0;
  for (let i = 0; i < keys.length; i++) {
    number[0] = keys[i] + 0;
    const top = bits[highAt];
    const mask = top >> 31; // All ones if negative: then all bits change, else only the sign.
    low[i] = bits[lowAt] ^ mask ^ flip;
    high[i] = top ^ (mask | 0x80000000) ^ flip;
  }
  return { low, high };
}

/**
 * @param {Float64Array} number
 * @returns {[Int32Array, number, number]} its words, and which is the low and which the high one
 */
function halves(number) {
  number[0] = 1;
  const bits = new Int32Array(number.buffer);
  return bits[0] === 0 ? [bits, 0, 1] : [bits, 1, 0];
}
