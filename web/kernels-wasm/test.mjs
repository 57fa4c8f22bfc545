// The exports of each tier against the obvious JavaScript, and what they answer to bad input.
//
//   cargo xtask web && node --test web/kernels-wasm/test.mjs
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import { bytesOf, load } from "./tiers.mjs";
import { Heap, blurred, crc32, noise, product, resized, sortedRows } from "./references.mjs";

const TIERS = [
  { tier: "baseline", threads: 1, features: 0 },
  { tier: "simd", threads: 1, features: 1 },
  { tier: "threads", threads: 1, features: 5 },
  { tier: "threads", threads: 3, features: 5 },
  { tier: "relaxed", threads: 2, features: 7 },
];
const STATUS = { size: -1, number: -2, memory: -3, aborted: -4, json: -5, rows: -6, key: -7 };

for (const { tier, threads, features } of TIERS) {
  const skip = tier === "relaxed" && !WebAssembly.validate(bytesOf(tier)) && "not in this engine";
  describe(`${tier}, ${threads} threads`, { skip }, () => {
    let k, heap, stop, watch, words;
    before(async () => {
      const loaded = await load(tier, { threads, watch: (done, total) => watch?.(done, total) ?? 0 });
      ({ exports: k, stop } = loaded);
      heap = new Heap(k, loaded.memory);
      words = k.tk_alloc(200, 1);
    });
    afterEach(() => heap.clear());
    after(() => stop());

    const closeTo = (bytes, expected) => {
      bytes.forEach((byte, at) => assert.ok(Math.abs(byte - expected[at]) <= 1, `${at}: ${byte}, ${expected[at]}`));
    };
    const reason = () => heap.text(words, k.tk_error_reason(words, 200));
    const sort = (text, key, descending = false) => {
      const [bytes, length] = heap.put(text);
      const [name, nameLength] = heap.put(key);
      const handle = k.tk_sort_json(bytes, length, name, nameLength, descending ? 1 : 0);
      if (handle === 0) return { status: k.tk_error_status(), offset: k.tk_error_offset(), reason: reason() };
      const rows = k.tk_sorted_rows(handle);
      const order = [...heap.view(Uint32Array, k.tk_sorted_permutation(handle), rows)];
      const starts = heap.view(Uint32Array, k.tk_sorted_starts(handle), rows);
      const ends = heap.view(Uint32Array, k.tk_sorted_ends(handle), rows);
      const spans = order.map((row) => JSON.parse(heap.text(bytes + starts[row], ends[row] - starts[row])));
      const outLength = k.tk_sorted_bytes_len(handle);
      const out = heap.room(outLength);
      assert.equal(k.tk_sorted_write(handle, bytes, length, out, outLength - 1), STATUS.size);
      assert.equal(k.tk_sorted_write(handle, bytes, length, out, outLength), 0);
      const written = JSON.parse(heap.text(out, outLength));
      assert.deepEqual(written, spans);
      k.tk_sorted_free(handle);
      assert.equal(k.tk_sorted_rows(handle), 0);
      return { order, written };
    };

    it("says what it is", () => {
      assert.deepEqual([k.tk_abi(), k.tk_features(), k.tk_pool_size()], [1, features, threads]);
      assert.equal(k.tk_nop(), undefined);
    });

    it("computes Fibonacci numbers up to 64 bits", () => {
      assert.deepEqual([0, 1, 2, 20].map((n) => k.tk_fibonacci(n)), [0n, 1n, 1n, 6765n]);
      assert.equal(BigInt.asUintN(64, k.tk_fibonacci(94)), 2n ** 64n - 1n);
      assert.match(reason(), /at most 93/);
    });

    it("computes a checksum in pieces", () => {
      assert.equal(k.tk_crc32(0, ...heap.put("123456789")) >>> 0, 0xcbf43926);
      const bytes = noise(300_001, 7);
      const [at] = heap.put(bytes);
      const state = k.tk_crc32(0, at, 100_003);
      assert.equal(k.tk_crc32(state, at + 100_003, 199_998) >>> 0, crc32(bytes));
      assert.equal(k.tk_crc32(5, at, 2 ** 31), 5);
    });

    it("compares", () => {
      const [left] = heap.put("secret");
      const [right] = heap.put("secreT");
      assert.deepEqual([k.tk_equal(left, left, 6), k.tk_equal(left, right, 6), k.tk_equal(left, right, 5)], [1, 0, 1]);
      assert.equal(k.tk_equal(left, 0, 6), 0);
    });

    it("multiplies matrices", () => {
      for (const [type, name] of [[Float32Array, "tk_matmul_f32"], [Float64Array, "tk_matmul_f64"]]) {
        for (const [m, n, p] of [[1, 1, 1], [50, 300, 33], [97, 13, 70]]) {
          const a = type.from(noise(m * n, 1), (byte) => byte / 128 - 1);
          const b = type.from(noise(n * p, 2), (byte) => byte / 128 - 1);
          const c = heap.room(m * p * type.BYTES_PER_ELEMENT);
          assert.equal(k[name](heap.put(a)[0], heap.put(b)[0], c, m, n, p), 0);
          const bound = type === Float32Array ? 1e-4 : 1e-12;
          product(a, b, m, n, p).forEach((sum, at) => {
            assert.ok(Math.abs(heap.view(type, c, m * p)[at] - sum) < bound);
          });
        }
      }
    });

    for (const opaque of [true, false]) {
      it(`blurs and resizes ${opaque ? "opaque" : "transparent"} images`, () => {
        const [width, height] = [77, 53];
        const pixels = noise(width * height * 4, 3);
        for (let at = 3; at < pixels.length; at += 4) pixels[at] = opaque ? 255 : pixels[at] & 128 ? pixels[at] : 0;
        for (const sigma of [0.4, 3, 9]) {
          const [at] = heap.put(pixels);
          assert.equal(k.tk_blur(at, width, height, sigma), 0);
          closeTo(heap.view(Uint8Array, at, pixels.length), blurred(pixels, width, height, sigma));
        }
        k.tk_release_scratch();
        const [source] = heap.put(pixels);
        const [meanAt] = heap.put(new Float32Array([0.5, 0.4, 0.3]));
        const [deviationAt] = heap.put(new Float32Array([0.2, 0.25, 0.5]));
        for (const [toWidth, toHeight] of [[20, 11], [100, 60], [1, 1]]) {
          const count = toWidth * toHeight;
          const expected = resized(pixels, width, height, toWidth, toHeight);
          const target = heap.room(count * 4);
          assert.equal(k.tk_resize(source, width, height, target, toWidth, toHeight), 0);
          const bytes = heap.view(Uint8Array, target, count * 4).slice();
          closeTo(bytes, expected);
          const planes = heap.room(count * 12);
          const answer = k.tk_preprocess(source, width, height, planes, toWidth, toHeight, meanAt, deviationAt);
          assert.equal(answer, 0);
          const blue = heap.view(Float32Array, planes, count * 3).subarray(2 * count);
          blue.forEach((value, at) => assert.ok(Math.abs(value - (bytes[at * 4 + 2] / 255 - 0.3) / 0.5) < 1e-5));
        }
      });
    }

    it("refuses ranges that are none", () => {
      const at = heap.room(1 << 16);
      const all = heap.memory.buffer.byteLength;
      const answers = [
        k.tk_blur(0, 4, 4, 1), k.tk_blur(at, 0, 4, 1), k.tk_blur(all - 4, 4, 4, 1), k.tk_blur(at, 2 ** 31, 2 ** 31, 1),
        k.tk_blur(at, 20_000, 20_000, 1), k.tk_resize(at, 4, 4, at + 60, 4, 4), k.tk_resize(at, 4, 4, at + 64, 0, 4),
        k.tk_matmul_f32(at, at + 64, at + 130, 4, 4, 4), k.tk_matmul_f32(at, at + 64, at + 124, 4, 4, 4),
        k.tk_matmul_f64(at, at, at + 4096, 0, 4, 4), k.tk_preprocess(at, 4, 4, at + 64, 4, 4, 1, at + 1024),
        k.tk_sorted_write(99, at, 4, at + 4, 4),
      ];
      assert.deepEqual(answers, answers.map(() => STATUS.size));
      assert.notEqual(reason(), "");
      const [name] = heap.put("a");
      assert.equal(k.tk_sort_json(all - 2, 4, name, 1, 0), 0);
      assert.equal(k.tk_error_status(), STATUS.size);
    });

    it("refuses numbers that are none", () => {
      const at = heap.room(4096);
      for (const sigma of [NaN, -1, Infinity, 501]) assert.equal(k.tk_blur(at, 4, 4, sigma), STATUS.number);
      const [zeros] = heap.put(new Float32Array(3));
      assert.equal(k.tk_preprocess(at, 4, 4, at + 1024, 4, 4, zeros, zeros), STATUS.number);
    });

    it("answers 0 where there is no memory, and goes on", () => {
      assert.deepEqual([k.tk_alloc(2 ** 32 - 1, 16), k.tk_alloc(16, 3)], [0, 0]);
      k.tk_free(0, 16, 16);
      const text = heap.put(JSON.stringify(sortedRows(20_000)));
      const [name] = heap.put("number");
      const [width, height] = [2000, 300];
      const [pixels] = heap.put(noise(width * height * 4, 1));
      const c = heap.room(400 * 400 * 4);
      k.tk_release_scratch();
      // All that is left, in pieces: nobody writes to it, so it costs addresses only.
      const taken = [];
      for (let bytes = 2 ** 30; bytes >= 2 ** 14; bytes /= 2) {
        for (let at; (at = k.tk_alloc(bytes, 16)) !== 0; ) taken.push([at, bytes]);
      }
      assert.equal(k.tk_alloc(20_000 * 20_000 * 4, 16), 0);
      const answers = [
        k.tk_sort_json(...text, name, 6, 0) || k.tk_error_status(),
        k.tk_blur(pixels, width, height, 30),
        k.tk_matmul_f32(pixels, pixels, c, 400, 400, 400),
        k.tk_resize(pixels, width, height, c, 400, 400),
      ];
      const told = reason();
      for (const [at, bytes] of taken) k.tk_free(at, bytes, 16);
      assert.deepEqual(answers, answers.map(() => STATUS.memory));
      assert.equal(told, "out of memory");
      assert.equal(k.tk_blur(pixels, width, height, 30), 0);
      assert.deepEqual(sort("[{},{}]", "a").order, [0, 1]);
    });

    it("sorts rows", () => {
      const rows = sortedRows(5000);
      const text = JSON.stringify(rows);
      for (const key of ["number", "text", "inner.number"]) {
        for (const descending of [false, true]) {
          const path = key.split(".");
          const of = (at) => path.reduce((value, name) => value?.[name], rows[at]);
          const compare = (left, right) => {
            const [a, b] = [of(left), of(right)];
            const order = a === undefined || b === undefined ? (b === undefined) - (a === undefined) : (a > b) - (a < b);
            return descending ? -order : order;
          };
          const expected = rows.map((_, at) => at).sort(compare);
          const { order, written } = sort(text, key, descending);
          assert.deepEqual(order, expected);
          assert.deepEqual(written, expected.map((at) => rows[at]));
        }
      }
      assert.deepEqual(sort(" [ ] ", "a").order, []);
    });

    it("says what is wrong with a text, and where", () => {
      const cases = [
        ['[{"a":1},{"a":}]', "a", STATUS.json, 14], ['[{"a":1}', "a", STATUS.json, 8], ["{}", "a", STATUS.rows, 0],
        ["[{},7]", "a", STATUS.rows, 4], ["[{}]", "a..b", STATUS.key, 0], ["[{}]", "", STATUS.key, 0],
        [`[{"a":${"[".repeat(100_000)}`, "a", STATUS.json, 516], ["", "a", STATUS.json, 0],
        [Uint8Array.of(0x5b, 0x7b, 0x22, 0xff, 0x22), "a", STATUS.json, 3],
      ];
      for (const [text, key, status, offset] of cases) {
        const error = sort(text, key);
        assert.deepEqual([error.status, error.offset], [status, offset], `${text}`.slice(0, 40));
        assert.ok(error.reason.length > 5);
      }
      // A surrogate that stands alone is text, as it is to JSON.parse.
      assert.deepEqual(sort('[{"a":"\\ue000"},{"a":"\\ud800"}]', "a").order, [1, 0]);
    });

    it("agrees with JSON.parse on texts with one wrong byte", () => {
      const text = new TextEncoder().encode('[{"a":[1.5e-3,true,null],"b":"x\\n\\u00e9 é"},{"a":{"c":-0.1E+2}}]');
      const random = noise(4000, 9);
      for (let at = 0; at < random.length; at += 2) {
        const changed = text.slice();
        changed[random[at] % text.length] = random[at + 1];
        let rows;
        try {
          rows = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(changed));
        } catch {}
        const isRows = Array.isArray(rows) && rows.every((row) => row?.constructor === Object);
        assert.equal(sort(changed, "a").status === undefined, isRows, new TextDecoder().decode(changed));
      }
    });

    it("tells of progress on the thread that was called, and stops when it is told to", () => {
      const [width, height] = [1200, 1200];
      const [pixels] = heap.put(noise(width * height * 4, 1));
      const seen = [];
      watch = (done, total) => void seen.push(done / total);
      assert.equal(k.tk_blur(pixels, width, height, 20), 0);
      assert.ok(seen.length > 2 && seen.every((fraction) => fraction >= 0 && fraction <= 1));
      let calls = 0;
      // Not when it is asked at the start, but the next time.
      watch = () => (++calls > 1 ? 1 : 0);
      const [a] = heap.put(new Float32Array(500 * 500));
      const c = heap.room(500 * 500 * 4);
      for (const run of [
        () => k.tk_blur(pixels, width, height, 20),
        () => k.tk_matmul_f32(a, a, c, 500, 500, 500),
        () => k.tk_resize(pixels, width, height, c, 400, 400),
      ]) {
        calls = 0;
        assert.equal(run(), STATUS.aborted);
      }
      const rows = JSON.stringify(sortedRows(40_000));
      calls = 1;
      assert.equal(sort(rows, "number").status, STATUS.aborted);
      watch = undefined;
      assert.equal(sort(rows, "number").order.length, 40_000);
    });
  });
}

describe("a pool", () => {
  it("takes workers while it is in use, and lets them go", async () => {
    const { exports: k, memory, join, stop } = await load("threads");
    const heap = new Heap(k, memory);
    const [width, height] = [640, 480];
    const pixels = noise(width * height * 4, 4);
    const blur = () => {
      const [at] = heap.put(pixels);
      assert.equal(k.tk_blur(at, width, height, 5), 0);
      const bytes = heap.view(Uint8Array, at, pixels.length).slice();
      heap.clear();
      return bytes;
    };
    const alone = blur();
    for (const size of [2, 3, 4]) {
      await join();
      assert.equal(k.tk_pool_size(), size);
      assert.deepEqual(blur(), alone);
    }
    await stop();
    assert.equal(k.tk_pool_size(), 1);
    assert.deepEqual(blur(), alone);
    await join();
    const at = heap.room(3 * 256);
    for (let round = 0; round < 500; round++) assert.equal(k.tk_matmul_f32(at, at + 256, at + 512, 8, 8, 8), 0);
    await stop();
  });

  it("does the work of workers that died while they waited", async () => {
    const { exports: k, memory, join } = await load("threads");
    const heap = new Heap(k, memory);
    const worker = await join();
    await worker.terminate();
    // It is counted still, but nobody waits for it.
    assert.equal(k.tk_pool_size(), 2);
    const [at] = heap.put(noise(64 * 64 * 4, 4));
    assert.equal(k.tk_blur(at, 64, 64, 2), 0);
  });
});
