// The order of keys, as the kernels have it: rows without the key or with `null`, numbers by value,
// strings by code point, `false`, `true`, then arrays and objects; alike rows as they stood.

/**
 * @param {unknown} row
 * @param {readonly string[]} path
 */
export function member(row, path) {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = /** @type {Record<string, unknown>} */ (value)[name];
  }
  return value;
}

/** @param {unknown} value */
function rank(value) {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number") return 1;
  if (typeof value === "string") return 2;
  if (typeof value === "boolean") return value ? 4 : 3;
  return 5;
}

/**
 * Below 0 if `left` comes first, as `Array.prototype.sort` wants it.
 * @param {unknown} left
 * @param {unknown} right
 * @returns {number}
 */
export function compareKeys(left, right) {
  if (typeof left === "number" && typeof right === "number") return left < right ? -1 : left > right ? 1 : 0;
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  return rank(left) - rank(right);
}

/**
 * By code point, where `<` goes by code unit: the two differ where one unit is half of a pair.
 * @param {string} left
 * @param {string} right
 */
export function compareText(left, right) {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a === b) continue;
    // U+E000 to U+FFFF lie below the pairs, and above them as units.
    const lift = (/** @type {number} */ unit) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
    return lift(a) - lift(b);
  }
  return left.length - right.length;
}
