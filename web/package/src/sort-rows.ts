// Rows that are JavaScript objects already are best sorted in JavaScript: taking keys into wasm and
// an order out costs as much as wasm would save. So here is the same algorithm, in plain JavaScript.

/** Below this, a comparison sort of numbers is quicker than passes over all digits. */
const RADIX_ROWS_MIN = 1024;
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/**
 * The order of rows by a member of each, stable: position in the order → index of the row.
 *
 * `key` is a path, `a.b` is member `b` of member `a`. Rows whose member is neither a number nor a
 * text (or NaN) come first, in their order; then numbers, ascending; then texts, by code points, as
 * in {@link Kernels.sortJson}. `descending` reverses the order of the keys, not that of equal rows.
 */
export function sortRows<T>(
  rows: readonly T[],
  key: string,
  how: { readonly descending?: boolean } = {},
): Uint32Array {
  const path = key.split(".");
  const missing: number[] = [];
  const texts: { text: string; row: number }[] = [];
  const numbers = new Float64Array(rows.length);
  const numbered = new Uint32Array(rows.length);
  let count = 0;
  for (let row = 0; row < rows.length; row += 1) {
    const value = member(rows[row], path);
    if (typeof value === "number" && !Number.isNaN(value)) {
      numbers[count] = value;
      numbered[count] = row;
      count += 1;
    } else if (typeof value === "string") texts.push({ text: value, row });
    else missing.push(row);
  }
  const descending = how.descending ?? false;
  const byNumber = order(numbers.subarray(0, count), descending);
  const sign = descending ? -1 : 1;
  texts.sort((left, right) => sign * byCodePoints(left.text, right.text));

  const permutation = new Uint32Array(rows.length);
  let at = 0;
  const put = (row: number) => {
    permutation[at] = row;
    at += 1;
  };
  const groups = [
    () => missing.forEach(put),
    () => byNumber.forEach((position) => put(numbered[position] as number)),
    () => texts.forEach(({ row }) => put(row)),
  ];
  for (const group of descending ? groups.reverse() : groups) group();
  return permutation;
}

function member(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** As UTF-8 bytes compare: code units differ from it only where one is half of a pair. */
function byCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)];
    if (a === b) continue;
    const [aPair, bPair] = [a >= 0xd800 && a < 0xe000, b >= 0xd800 && b < 0xe000];
    return aPair === bPair ? a - b : aPair ? 1 : -1;
  }
  return left.length - right.length;
}

/** The order of numbers, none of them NaN, stable. */
function order(numbers: Float64Array, descending: boolean): Uint32Array {
  const positions = new Uint32Array(numbers.length);
  for (let index = 0; index < positions.length; index += 1) positions[index] = index;
  if (numbers.length < RADIX_ROWS_MIN) {
    const sign = descending ? -1 : 1;
    // Equal keys stay in their order, which positions are by themselves.
    return positions.sort(
      (a, b) => sign * ((numbers[a] as number) - (numbers[b] as number) || 0) || a - b,
    );
  }
  return radix(sortable(numbers, descending), positions);
}

/** The bits of the numbers, low half first, changed so that they compare as unsigned integers. */
function sortable(numbers: Float64Array, descending: boolean): Uint32Array {
  const bits = new Uint32Array(numbers.slice().buffer);
  const flip = descending ? 0xffff_ffff : 0;
  for (let low = 0; low < bits.length; low += 2) {
    // Minus zero is zero: they are equal as keys.
    if (numbers[low >> 1] === 0) bits[low + 1] = 0;
    const high = bits[low + 1] as number;
    const negative = high >>> 31 !== 0;
    bits[low] = (negative ? ~(bits[low] as number) : (bits[low] as number)) ^ flip;
    bits[low + 1] = (negative ? ~high : high ^ 0x8000_0000) ^ flip;
  }
  return bits;
}

/** Least significant digit first; digits that are the same everywhere are passed over. */
function radix(bits: Uint32Array, positions: Uint32Array<ArrayBuffer>): Uint32Array {
  let [from, to] = [positions, new Uint32Array(positions.length)];
  const starts = new Uint32Array(DIGITS);
  for (let digit = 0; digit < 4; digit += 1) {
    const [half, shift] = [digit >> 1, (digit & 1) * DIGIT_BITS];
    const at = (position: number) => ((bits[2 * position + half] as number) >>> shift) & (DIGITS - 1);
    starts.fill(0);
    for (let index = 0; index < from.length; index += 1) starts[at(index)]! += 1;
    if (starts[at(0)] === from.length) continue;
    let sum = 0;
    for (let value = 0; value < DIGITS; value += 1) {
      const count = starts[value] as number;
      starts[value] = sum;
      sum += count;
    }
    for (let index = 0; index < from.length; index += 1) {
      const position = from[index] as number;
      const value = at(position);
      to[starts[value] as number] = position;
      starts[value]! += 1;
    }
    [from, to] = [to, from];
  }
  return from;
}
