// Rows that are JavaScript objects already are best sorted in JavaScript: taking keys into wasm and
// an order out costs as much as wasm would save. So here is the same algorithm, in plain JavaScript.

/** Below this, a comparison sort of numbers is quicker than passes over all digits. */
const RADIX_ROWS_MIN = 1024;
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/** Kinds of keys, in their order. */
enum Kind {
  Missing,
  Number,
  Text,
  False,
  True,
  Tree,
}

/**
 * The order of rows by a member of each, stable: position in the order → index of the row.
 *
 * `key` is a path, `a.b` is member `b` of member `a`. The order is that of {@link Kernels.sortJson}:
 * rows without the member, or where it is null, undefined or NaN; numbers; texts, by code points;
 * false; true; arrays and objects, all alike. `descending` turns it round; rows that are alike keep
 * their order in both.
 */
export function sortRows<T>(
  rows: readonly T[],
  key: string,
  how: { readonly descending?: boolean } = {},
): Uint32Array {
  const path = key.split(".");
  const kinds: Record<Kind, number[]> = [[], [], [], [], [], []];
  const numbers = new Float64Array(rows.length);
  const texts: string[] = [];
  let count = 0;
  for (let row = 0; row < rows.length; row += 1) {
    const value = member(rows[row], path);
    const kind = kindOf(value);
    if (kind === Kind.Number) numbers[count++] = value as number;
    else if (kind === Kind.Text) texts.push(value as string);
    kinds[kind].push(row);
  }
  const descending = how.descending ?? false;
  const orders: Partial<Record<Kind, ArrayLike<number>>> = {
    [Kind.Number]: order(numbers.subarray(0, count), descending),
    [Kind.Text]: orderTexts(texts, descending),
  };
  const permutation = new Uint32Array(rows.length);
  let at = 0;
  const sequence = [Kind.Missing, Kind.Number, Kind.Text, Kind.False, Kind.True, Kind.Tree];
  for (const kind of descending ? sequence.reverse() : sequence) {
    const [members, positions] = [kinds[kind], orders[kind]];
    for (let place = 0; place < members.length; place += 1) {
      permutation[at++] = members[positions?.[place] ?? place] as number;
    }
  }
  return permutation;
}

function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case "number":
      return Number.isNaN(value) ? Kind.Missing : Kind.Number;
    case "string":
      return Kind.Text;
    case "boolean":
      return value ? Kind.True : Kind.False;
    case "object":
      return value === null ? Kind.Missing : Kind.Tree;
    default:
      return Kind.Missing;
  }
}

function orderTexts(texts: readonly string[], descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  const positions = texts.map((_, position) => position);
  return positions.sort((a, b) => sign * byCodePoints(texts[a] as string, texts[b] as string));
}

function member(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** By code points. Code units differ from them only where a pair begins or goes on. */
function byCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  if (at < length) {
    if (at > 0 && isHigh(left.charCodeAt(at - 1))) at -= 1;
    const [a, b] = [left.codePointAt(at) as number, right.codePointAt(at) as number];
    // The same one where no pair had begun: then the next decides.
    if (a !== b) return a - b;
    return (left.codePointAt(at + 1) as number) - (right.codePointAt(at + 1) as number);
  }
  return left.length - right.length;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
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
