// Rows that are JavaScript objects already are best sorted in JavaScript: taking keys into wasm and
// an order out costs as much as wasm would save. So here is the same algorithm, in plain JavaScript.

/** Below this, a comparison sort of numbers is quicker than passes over all digits. */
const RADIX_ROWS_MIN = 1024;
/** Counters of 11 bits stay in the first cache: three passes a half, six in all, beat four of 16. */
const DIGIT_BITS = 11;
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
  const descending = how.descending ?? false;
  const numbers = onlyNumbers(rows, key);
  return numbers ? order(numbers, descending) : sortMixed(rows, key.split("."), descending);
}

/** The keys, if all are numbers and members of the rows themselves: the common case, and a fast one. */
function onlyNumbers(rows: readonly unknown[], name: string): Float64Array | undefined {
  if (name.includes(".")) return undefined;
  const numbers = new Float64Array(rows.length);
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (typeof row !== "object" || row === null || !Object.hasOwn(row, name)) return undefined;
    const value = (row as Record<string, unknown>)[name];
    if (typeof value !== "number" || Number.isNaN(value)) return undefined;
    numbers[index] = value;
  }
  return numbers;
}

function sortMixed(rows: readonly unknown[], path: readonly string[], descending: boolean): Uint32Array {
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
  const { low, high } = sortable(numbers, descending);
  let [from, to]: [Uint32Array, Uint32Array] = [positions, new Uint32Array(positions.length)];
  // Least digit first; one that all share costs no pass.
  for (const words of [low, high]) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      const counts = count(words, shift);
      if (counts.includes(words.length)) continue;
      place(words, shift, counts, from, to);
      [from, to] = [to, from];
    }
  }
  return from;
}

/** The bits of the numbers in halves, changed so that they compare as unsigned integers. */
function sortable(numbers: Float64Array, descending: boolean): { low: Uint32Array; high: Uint32Array } {
  const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length);
  const [low, high] = [new Uint32Array(numbers.length), new Uint32Array(numbers.length)];
  const flip = descending ? 0xffff_ffff : 0;
  for (let index = 0; index < numbers.length; index += 1) {
    // Minus zero is zero: they are equal as keys.
    const top = numbers[index] === 0 ? 0 : (bits[2 * index + 1] as number);
    const negative = top >> 31;
    low[index] = (bits[2 * index] as number) ^ negative ^ flip;
    high[index] = top ^ (negative | 0x8000_0000) ^ flip;
  }
  return { low, high };
}

/** How often each digit is there. */
function count(words: Uint32Array, shift: number): Uint32Array {
  const counts = new Uint32Array(DIGITS);
  for (let index = 0; index < words.length; index += 1) {
    counts[((words[index] as number) >>> shift) & (DIGITS - 1)]! += 1;
  }
  return counts;
}

/** Puts each position behind those of lesser digits, and of the same that came before. */
function place(words: Uint32Array, shift: number, counts: Uint32Array, from: Uint32Array, to: Uint32Array): void {
  let sum = 0;
  const starts = counts.map((many) => (sum += many) - many);
  for (let index = 0; index < from.length; index += 1) {
    const position = from[index] as number;
    const digit = ((words[position] as number) >>> shift) & (DIGITS - 1);
    to[starts[digit] as number] = position;
    starts[digit]! += 1;
  }
}
