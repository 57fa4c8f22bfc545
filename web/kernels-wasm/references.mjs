// The obvious JavaScript that the kernels are held to, and memory for tests.

/** Memory of a module, freed all at once. */
export class Heap {
  #taken = [];

  constructor(exports, memory) {
    this.exports = exports;
    this.memory = memory;
  }

  room(bytes) {
    const at = this.exports.tk_alloc(bytes, 16);
    if (at === 0) throw new Error(`no room for ${bytes} bytes`);
    this.#taken.push([at, bytes]);
    return at;
  }

  /** Where a copy of text or numbers is, and how many bytes it has. */
  put(data) {
    const source = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    const at = this.room(bytes.length);
    this.view(Uint8Array, at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  /** Not to be kept over a call: the memory may grow. */
  view(type, at, length) {
    return new type(this.memory.buffer, at, length);
  }

  text(at, length) {
    return new TextDecoder().decode(this.view(Uint8Array, at, length).slice());
  }

  clear() {
    for (const [at, bytes] of this.#taken.splice(0)) this.exports.tk_free(at, bytes, 16);
  }
}

/** Bytes of no pattern. */
export function noise(length, seed) {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export function crc32(bytes) {
  let state = 0xffffffff;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ 0xedb88320 : state >>> 1;
  }
  return ~state >>> 0;
}

export function product(a, b, m, n, p) {
  const c = new Float64Array(m * p);
  for (let row = 0; row < m; row++) {
    for (let at = 0; at < n; at++) {
      for (let column = 0; column < p; column++) c[row * p + column] += a[row * n + at] * b[at * p + column];
    }
  }
  return c;
}

/** Pairs of a source place and a weight, for each place of the target. */
const gaussian = (length, sigma) => {
  const radius = Math.max(1, Math.ceil(3 * sigma));
  const weights = Array.from({ length: 2 * radius + 1 }, (_, at) => Math.exp(-0.5 * ((at - radius) / sigma) ** 2));
  const sum = weights.reduce((sum, weight) => sum + weight);
  const place = (at) => Math.min(Math.max(at, 0), length - 1);
  return Array.from({ length }, (_, x) => weights.map((weight, at) => [place(x + at - radius), weight / sum]));
};

const bicubic = (from, to) => {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const cubic = (x) => {
    if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
    return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
  };
  return Array.from({ length: to }, (_, at) => {
    const weight = (source) => cubic(Math.abs(source + 0.5 - (at + 0.5) * scale) / stretch);
    const taps = Array.from({ length: from }, (_, source) => [source, weight(source)]).filter(([, it]) => it !== 0);
    const sum = taps.reduce((sum, [, weight]) => sum + weight, 0);
    return taps.map(([source, weight]) => [source, weight / sum]);
  });
};

/** Premultiplied, in double precision, along both directions. */
function both(pixels, width, columns, rows) {
  const sums = (weights, value) => weights.reduce((sum, [at, weight]) => sum + weight * value(at), 0);
  const channels = [0, 1, 2, 3].map((channel) => {
    const value = (at) => (channel === 3 ? pixels[at * 4 + 3] : pixels[at * 4 + channel] * pixels[at * 4 + 3]);
    const height = pixels.length / 4 / width;
    const lines = Array.from({ length: height }, (_, y) => columns.map((taps) => sums(taps, (x) => value(y * width + x))));
    return rows.flatMap((taps) => columns.map((_, x) => sums(taps, (y) => lines[y][x])));
  });
  const out = new Uint8ClampedArray(columns.length * rows.length * 4);
  for (let at = 0; at < columns.length * rows.length; at++) {
    const alpha = channels[3][at];
    out.set(alpha > 0 ? [0, 1, 2].map((channel) => channels[channel][at] / alpha) : [0, 0, 0], at * 4);
    out[at * 4 + 3] = alpha;
  }
  return out;
}

export function blurred(pixels, width, height, sigma) {
  return both(pixels, width, gaussian(width, sigma), gaussian(height, sigma));
}

/** Where alpha rounds to 0, so do the colours. */
export function resized(pixels, width, height, toWidth, toHeight) {
  const out = both(pixels, width, bicubic(width, toWidth), bicubic(height, toHeight));
  for (let at = 0; at < out.length; at += 4) if (out[at + 3] === 0) out.fill(0, at, at + 4);
  return out;
}

/** Rows with keys of several kinds, some of which are alike and some missing. */
export function sortedRows(count) {
  const random = noise(count * 3, 6);
  return Array.from({ length: count }, (_, at) => {
    const [a, b, c] = random.subarray(at * 3);
    const row = { at, text: `${"same ".repeat(a % 3)}${b}é😀"\\`, inner: { number: 100 - c, list: [{ number: a }, {}] } };
    if (a > 20) row.number = (a * 256 + b) / (c % 5 ? 8 : 7);
    if (c > 200) delete row.inner;
    return row;
  });
}
