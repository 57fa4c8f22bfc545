// Every operation against its reference, and what it refuses.

import { type Kernels, type KernelBuffer, sortRows } from "@tombolo/web";
import { type Cases, equal, fails, near, noise, ok, random } from "./check.js";
import * as reference from "./reference.js";

const encode = (text: string) => new TextEncoder().encode(text);

async function image(kernels: Kernels, width: number, height: number, seed = 3) {
  const source = noise(width * height * 4, seed);
  return { source, pixels: await kernels.from(source) };
}

/** Colours agree within one where there is alpha; where there is almost none they mean nothing. */
function sameColours(actual: ArrayLike<number>, expected: Float64Array, what: string): void {
  for (let index = 0; index < expected.length; index += 1) {
    const alpha = expected[index | 3]!;
    const most = (index & 3) === 3 ? 1 : alpha < 1 ? 255 : 1 + 128 / alpha;
    if (!(Math.abs(actual[index]! - expected[index]!) <= most)) {
      throw new Error(`${what}[${index}]: expected ${expected[index]} within ${most}, found ${actual[index]}`);
    }
  }
}

async function sortedAsReference(kernels: Kernels, text: string, key: string): Promise<void> {
  using json = await kernels.from(encode(text));
  for (const descending of [false, true]) {
    using sorted = await kernels.sortJson(json, { key, descending });
    const expected = reference.sortJson(text, key, descending);
    near(sorted.permutation(), expected, 0, `order by ${key}`);
    equal(sorted.rows, expected.length, "rows");
    const rows = JSON.parse(text) as unknown[];
    near(sortRows(rows, key, { descending }), expected, 0, `sortRows by ${key}`);
    using bytes = await sorted.toBytes();
    const out = JSON.stringify(JSON.parse(new TextDecoder().decode(bytes.bytes().slice())));
    equal(out, JSON.stringify(expected.map((row) => rows[row])), "sorted text");
    for (const position of expected.length > 0 ? [0, expected.length - 1] : []) {
      equal(JSON.stringify(sorted.row(position)), JSON.stringify(rows[expected[position]!]), "row");
    }
  }
}

function people(rows: number): string {
  const next = random(11);
  const list = Array.from({ length: rows }, (_, id) => ({
    id,
    name: `név ${String.fromCodePoint(0x61 + Math.floor(next() * 26), 0x1f600 + (id % 5))}`,
    score: Math.round((next() - 0.5) * 1e4) / 8,
    deep: { level: Math.floor(next() * 9), note: 'a "quoted" \\ [text] {with} , everything' },
    ...(id % 7 === 0 ? {} : { some: id % 3 === 0 ? null : id % 2 === 0 ? `t${id % 10}` : id % 10 }),
    flags: [true, false, [id]],
  }));
  return JSON.stringify(list);
}

const images: Cases = {
  "blur: as the definition, at odd sizes": async (kernels) => {
    for (const [width, height, sigma] of [[1, 1, 2], [7, 1, 1.5], [1, 9, 3], [33, 17, 0.4], [64, 48, 5]] as const) {
      const { source, pixels } = await image(kernels, width, height);
      await kernels.blur(pixels, { width, height, sigma });
      sameColours(pixels.pixels(), reference.blur(source, { width, height }, sigma), `${width}x${height} sigma ${sigma}`);
      pixels.free();
    }
  },
  "blur: a radius is two sigmas, sigma 0 changes nothing": async (kernels) => {
    const [width, height] = [20, 10];
    const { source, pixels } = await image(kernels, width, height);
    await kernels.blur(pixels, { width, height, sigma: 0 });
    near(pixels.bytes(), source, 0);
    await kernels.blur(pixels, { width, height, radius: 6 });
    sameColours(pixels.pixels(), reference.blur(source, { width, height }, 3), "radius 6");
  },
  "blur: refuses sizes that do not match, zero, and numbers that are none": async (kernels) => {
    const pixels = kernels.alloc(400);
    await fails(kernels.blur(pixels, { width: 10, height: 11, sigma: 1 }), "bad-size", "440 bytes, the buffer has 400");
    await fails(kernels.blur(pixels, { width: 0, height: 10, sigma: 1 }), "bad-size", "`width`");
    await fails(kernels.blur(pixels, { width: 10, height: -10, sigma: 1 }), "bad-size", "`height`");
    await fails(kernels.blur(pixels, { width: 2.5, height: 40, sigma: 1 }), "bad-size", "`width`");
    await fails(kernels.blur(pixels, { width: 10, height: 10, sigma: Number.NaN }), "bad-number", "`sigma`");
    await fails(kernels.blur(pixels, { width: 10, height: 10, sigma: -1 }), "bad-number", "`sigma`");
    await fails(kernels.blur(pixels, { width: 10, height: 10, radius: Number.POSITIVE_INFINITY }), "bad-number", "`radius`");
    await fails(kernels.blur(pixels, { width: 10, height: 10, sigma: 1e9 }), "bad-number");
    await kernels.blur(pixels, { width: 10, height: 10, sigma: 1 });
  },
  "resize: as the definition, smaller and larger": async (kernels) => {
    for (const [width, height, to] of [
      [40, 30, { width: 13, height: 7 }],
      [5, 6, { width: 31, height: 29 }],
      [1, 1, { width: 4, height: 4 }],
      [64, 64, { width: 64, height: 64 }],
    ] as const) {
      const { source, pixels } = await image(kernels, width, height);
      using made = await kernels.resize(pixels, { width, height, to });
      equal(made.byteLength, to.width * to.height * 4);
      sameColours(made.pixels(), reference.resize(source, { width, height }, to), `to ${to.width}x${to.height}`);
      near(pixels.bytes(), source, 0, "the source");
      pixels.free();
    }
  },
  "preprocess: three planes, normalised": async (kernels) => {
    const from = { width: 50, height: 40 };
    const to = { width: 24, height: 16 };
    const source = noise(from.width * from.height * 4).map((value, index) => ((index & 3) === 3 ? 255 : value));
    const pixels = await kernels.from(source);
    const [mean, std] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]] as const;
    using planes = await kernels.preprocess(pixels, { ...from, to, mean, std });
    near(planes.floats(), reference.preprocess(source, from, to, mean, std), 0.03, "normalised");
    using plain = await kernels.preprocess(pixels, { ...from, to });
    near(plain.floats(), reference.preprocess(source, from, to, [0, 0, 0], [1, 1, 1]), 0.006, "plain");
    await fails(kernels.preprocess(pixels, { ...from, to, std: [1, 0, 1] }), "bad-number", "`std`");
    await fails(kernels.preprocess(pixels, { ...from, to, mean: [1, Number.NaN, 1] }), "bad-number", "`mean`");
  },
  "an image of 20,000 x 20,000 is out of memory, and nothing is broken": async (kernels) => {
    const huge = { width: 20_000, height: 20_000 };
    await fails(() => kernels.alloc(huge.width * huge.height * 4), "out-of-memory", "1600000000 bytes");
    const { pixels } = await image(kernels, 8, 8);
    await fails(kernels.blur(pixels, { ...huge, sigma: 1 }), "bad-size");
    await fails(kernels.resize(pixels, { width: 8, height: 8, to: huge }), "out-of-memory");
    await fails(kernels.resize(pixels, { width: 8, height: 8, to: { width: 2 ** 31, height: 2 ** 31 } }), "out-of-memory");
    await kernels.blur(pixels, { width: 8, height: 8, sigma: 1 });
  },
};

const rows: Cases = {
  "sortJson: numbers, texts, paths, missing and mixed, both ways": async (kernels) => {
    const text = people(3000);
    for (const key of ["score", "id", "name", "deep.level", "some", "flags", "nowhere", "deep"]) {
      await sortedAsReference(kernels, text, key);
    }
  },
  "sortJson: whitespace, escapes, no rows, a lone surrogate": async (kernels) => {
    await sortedAsReference(kernels, "[]", "a");
    await sortedAsReference(kernels, ' [ { "a" : 2 } ,\n\t{ "a" : 1e0 } , { "\\u0061" : -0.5 } ] ', "a");
    await sortedAsReference(kernels, '[{"a":"\\ud800"},{"a":"\\u00e9"},{"a":"b"},{"a":"\\ud83d\\ude00"}]', "a");
  },
  "sortJson: refuses what is no JSON, and says where": async (kernels) => {
    const at = async (text: string, code: Parameters<typeof fails>[1], offset: number) => {
      using json = await kernels.from(encode(text));
      const error = await fails(kernels.sortJson(json, { key: "a" }), code);
      equal(error.offset, offset, `offset in ${text.slice(0, 40)}`);
    };
    await at('[{"a":1},{"a":', "invalid-json", 14);
    await at('[{"a":1}', "invalid-json", 8);
    await at('[{"a":1}]x', "invalid-json", 9);
    await at("", "invalid-json", 0);
    await at('{"a":1}', "not-rows", 0);
    await at('[{"a":1},2]', "not-rows", 9);
    using deep = await kernels.from(encode(`[{"a":${"[".repeat(1_000_000)}`));
    await fails(kernels.sortJson(deep, { key: "a" }), "invalid-json");
    using closed = await kernels.from(encode(`[{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}]`));
    await fails(kernels.sortJson(closed, { key: "a" }), "invalid-json");
  },
  "sortJson: rows that are freed while they wait to be written are written": async (kernels) => {
    using json = await kernels.from(new TextEncoder().encode('[{"a":3},{"a":1},{"a":2}]'));
    const busy: Promise<bigint>[] = [];
    const written = await (async () => {
      using sorted = await kernels.sortJson(json, { key: "a" });
      for (let each = 0; each < 4; each += 1) busy.push(kernels.fibonacci(27));
      return sorted.toBytes(); // Without `await`: the rows are freed before it has begun.
    })();
    equal(new TextDecoder().decode(written.bytes().slice()), '[{"a":1},{"a":2},{"a":3}]');
    written.free();
    await Promise.all(busy);
  },
  "sortJson: refuses keys that are none": async (kernels) => {
    using json = await kernels.from(encode('[{"a":1}]'));
    await fails(kernels.sortJson(json, { key: "" }), "bad-key");
    await fails(kernels.sortJson(json, { key: "a..b" }), "bad-key");
    await fails(kernels.sortJson(json, { key: "a." }), "bad-key");
  },
  "sorted rows: positions out of range, freed, and its text freed": async (kernels) => {
    const json = await kernels.from(encode('[{"a":2},{"a":1}]'));
    const sorted = await kernels.sortJson(json, { key: "a" });
    equal(sorted.text(0), '{"a":1}');
    await fails(() => sorted.text(2), "bad-size", "there are 2");
    json.free();
    await fails(() => sorted.text(0), "freed");
    await fails(sorted.toBytes(), "freed");
    sorted.free();
    sorted.free();
    await fails(() => sorted.permutation(), "freed", "sorted rows");
  },
};

const numbers: Cases = {
  "crc32: of every kind of source, at every length": async (kernels) => {
    equal(await kernels.crc32(encode("123456789")), 0xcbf4_3926, "the standard's check");
    equal(await kernels.crc32(new Uint8Array(0)), 0, "of nothing");
    for (const length of [1, 15, 16, 17, 1000, 70_001, 300_003]) {
      const bytes = noise(length, length);
      const expected = reference.crc32(bytes);
      equal(await kernels.crc32(bytes), expected, `${length} bytes`);
      using buffer = await kernels.from(bytes);
      equal(await kernels.crc32(buffer), expected, `buffer of ${length}`);
      equal(await kernels.crc32(new Blob([bytes])), expected, `blob of ${length}`);
      equal(await kernels.crc32(new Blob([bytes]).stream()), expected, `stream of ${length}`);
    }
    const odd = noise(1003, 1);
    const view = new DataView(odd.buffer, 3, 999);
    equal(await kernels.crc32(view), reference.crc32(odd.subarray(3, 1002)), "a view in the middle");
  },
  "crc32: long sources, in pieces, with progress": async (kernels) => {
    const bytes = noise(9_500_001, 5);
    const whole = await kernels.from(bytes);
    const expected = await kernels.crc32(whole);
    const told: number[] = [];
    let timing: unknown;
    const work = { onProgress: (fraction: number) => void told.push(fraction), onTiming: (t: unknown) => (timing = t) };
    equal(await kernels.crc32(new Blob([bytes]), work), expected, "blob");
    ok(told.length >= 3 && told.at(-1) === 1, `progress to 1, found ${told}`);
    ok(told.every((fraction, index) => index === 0 || fraction >= told[index - 1]!), `ascending progress, found ${told}`);
    ok(timing !== undefined, "a timing");
    equal(await kernels.crc32(bytes), expected, "view");
    equal(await kernels.crc32(new Blob([bytes]).stream()), expected, "stream");
  },
  "crc32: a stream that fails": async (kernels) => {
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("the cable is out")),
    });
    await fails(kernels.crc32(broken), "load", "the cable is out");
    const wrong = new ReadableStream({ start: (controller) => controller.enqueue("text") });
    await fails(kernels.crc32(wrong), "unsupported");
  },
  "matmul: as the definition, in both precisions": async (kernels) => {
    for (const [m, k, n] of [[1, 1, 1], [3, 5, 7], [17, 33, 9], [64, 64, 64], [1, 100, 1], [65, 3, 130]] as const) {
      const next = random(m * 31 + n);
      const left = Float64Array.from({ length: m * k }, () => Math.fround(next() - 0.5));
      const right = Float64Array.from({ length: k * n }, () => Math.fround(next() - 0.5));
      const expected = reference.matmul(left, right, { m, k, n });
      using a = await kernels.from(new Float32Array(left));
      using b = await kernels.from(new Float32Array(right));
      using c = await kernels.matmul(a, b, { m, k, n });
      near(c.floats(), expected, 1e-6 * k, "f32");
      using a64 = await kernels.from(left);
      using b64 = await kernels.from(right);
      using c64 = await kernels.matmul(a64, b64, { m, k, n, precision: "f64" });
      near(c64.doubles(), expected, 1e-14 * k, "f64");
    }
  },
  "matmul: a matrix with itself, and sizes that do not match": async (kernels) => {
    using a = await kernels.from(new Float32Array([1, 2, 3, 4]));
    using square = await kernels.matmul(a, a, { m: 2, k: 2, n: 2 });
    near(square.floats(), [7, 10, 15, 22], 0);
    await fails(kernels.matmul(a, a, { m: 3, k: 2, n: 2 }), "bad-size", "a: 3 x 2 f32");
    await fails(kernels.matmul(a, a, { m: 2, k: 2, n: 3 }), "bad-size", "b: 2 x 3 f32");
    await fails(kernels.matmul(a, a, { m: 0, k: 2, n: 2 }), "bad-size", "`m`");
    await fails(kernels.matmul(a, a, { m: 2 ** 20, k: 2 ** 20, n: 2 }), "out-of-memory", "`a`");
  },
  "fibonacci: to the last that fits": async (kernels) => {
    for (const n of [0, 1, 2, 10, 27]) equal(await kernels.fibonacci(n), reference.fibonacci(n), `n = ${n}`);
    for (const n of [-1, 1.5, 94, Number.NaN]) await fails(kernels.fibonacci(n), "bad-number", "`n`");
  },
  "equal: same, different, of different lengths, empty": async (kernels) => {
    const a = noise(1000);
    const b = a.slice();
    ok(await kernels.equal(a, b), "equal");
    b[999]! ^= 1;
    ok(!(await kernels.equal(a, b)), "different in the last bit");
    ok(!(await kernels.equal(a, a.subarray(1))), "different lengths");
    ok(await kernels.equal(a.subarray(0, 0), b.subarray(5, 5)), "nothing equals nothing");
  },
  "work reports where its time went": async (kernels) => {
    using pixels: KernelBuffer = kernels.alloc(512 * 512 * 4);
    let timing = { computeMs: -1, copyMs: -1 };
    await kernels.blur(pixels, { width: 512, height: 512, sigma: 3, onTiming: (taken) => (timing = taken) });
    ok(timing.computeMs > 0, `a time of computing, found ${timing.computeMs}`);
    ok(kernels.environment.tier === "threads" ? timing.copyMs === 0 : timing.copyMs > 0, `copyMs ${timing.copyMs}`);
  },
};

export const cases: Cases = { ...images, ...rows, ...numbers };
