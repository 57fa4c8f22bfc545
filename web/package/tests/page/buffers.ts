// Buffers: who may touch them when, and that no view goes stale unnoticed.

import { type Cases, equal, fails, near, noise, ok } from "./check.js";

export const cases: Cases = {
  "alloc: zeroed, also where others have been": async (kernels) => {
    for (let round = 0; round < 3; round += 1) {
      const buffer = kernels.alloc(100_000);
      ok(buffer.bytes().every((byte) => byte === 0), "zeroed");
      buffer.bytes().fill(255);
      buffer.free();
    }
  },
  "alloc: refuses sizes that are none": async (kernels) => {
    for (const bytes of [-1, 1.5, Number.NaN]) await fails(() => kernels.alloc(bytes), "bad-size");
    await fails(() => kernels.alloc(2 ** 33), "out-of-memory");
    equal(kernels.alloc(0).bytes().byteLength, 0);
  },
  "alloc: until memory is full, and again after freeing": async (kernels) => {
    const held = [];
    for (;;) {
      try {
        held.push(kernels.alloc(128 << 20));
      } catch (error) {
        equal((error as { code?: string }).code, "out-of-memory");
        break;
      }
      ok(held.length < 9, "an end below 1 GiB");
    }
    ok(held.length >= 6, `most of 1 GiB to be had, found ${held.length} times 128 MiB`);
    await fails(kernels.from(new Uint8Array(200 << 20)), "out-of-memory");
    equal(await kernels.fibonacci(5), 5n, "work that needs no memory");
    for (const buffer of held) buffer.free();
    kernels.alloc(300 << 20).free();
  },
  "views: of each kind, over the same bytes": async (kernels) => {
    const buffer = kernels.alloc(16);
    buffer.floats()[0] = 1;
    near(buffer.bytes().subarray(0, 4), [0, 0, 0x80, 0x3f], 0);
    equal(buffer.pixels()[3], 0x3f);
    buffer.doubles()[1] = 2;
    equal(buffer.bytes()[15], 0x40);
    await fails(() => kernels.alloc(6).floats(), "bad-size", "6 bytes");
    await fails(() => kernels.alloc(12).doubles(), "bad-size", "12 bytes");
  },
  "views: whole after the memory has grown": async (kernels) => {
    const first = await kernels.from(noise(1000));
    const expected = first.bytes().slice();
    const others = Array.from({ length: 8 }, () => kernels.alloc(16 << 20));
    near(first.bytes(), expected, 0, "after growth");
    for (const buffer of others) buffer.free();
    const pixels = kernels.alloc(2000 * 1000 * 4);
    first.bytes()[0] = 9;
    await kernels.blur(pixels, { width: 2000, height: 1000, sigma: 20 });
    equal(first.bytes()[0], 9, "written before work, read after it");
  },
  "zeroCopy says whether the bytes are shared": async (kernels) => {
    const buffer = kernels.alloc(64);
    equal(buffer.zeroCopy, kernels.environment.tier === "threads");
    equal(buffer.bytes().buffer instanceof ArrayBuffer, !buffer.zeroCopy);
  },
  "busy while work has it, and not after": async (kernels) => {
    const buffer = kernels.alloc(640 * 480 * 4);
    const work = kernels.blur(buffer, { width: 640, height: 480, sigma: 2 });
    await fails(() => buffer.bytes(), "busy");
    await fails(() => buffer.floats(), "busy");
    await work;
    equal(buffer.bytes().byteLength, 640 * 480 * 4);
  },
  "work on one buffer runs in order, on many at once": async (kernels) => {
    const size = { width: 100, height: 80 };
    const source = noise(size.width * size.height * 4);
    const [once, twice] = [await kernels.from(source), await kernels.from(source)];
    await kernels.blur(twice, { ...size, sigma: 1 });
    await kernels.blur(twice, { ...size, sigma: 4 });
    await Promise.all([kernels.blur(once, { ...size, sigma: 1 }), kernels.blur(once, { ...size, sigma: 4 })]);
    near(once.bytes(), twice.bytes(), 0);
    const sums = await Promise.all(Array.from({ length: 20 }, (_, index) => kernels.crc32(index % 2 ? once : twice)));
    ok(sums.every((sum) => sum === sums[0]), `the same sum 20 times, found ${sums}`);
  },
  "freed: its bytes are refused, work with it too; twice is fine": async (kernels) => {
    const buffer = kernels.alloc(400);
    buffer.free();
    buffer.free();
    for (const use of [() => buffer.bytes(), () => buffer.pixels(), () => buffer.floats(), () => buffer.doubles()]) {
      await fails(use, "freed");
    }
    await fails(kernels.blur(buffer, { width: 10, height: 10, sigma: 1 }), "freed");
    await fails(kernels.crc32(buffer), "freed");
  },
  "freed while work has it: the work ends as it should": async (kernels) => {
    const bytes = noise(3_000_000);
    const expected = await kernels.crc32(bytes);
    const buffer = await kernels.from(bytes);
    const work = [kernels.crc32(buffer), kernels.crc32(buffer)];
    buffer.free();
    await fails(() => buffer.bytes(), "freed");
    near(await Promise.all(work), [expected, expected], 0);
  },
  "using frees": async (kernels) => {
    let kept;
    {
      using buffer = kernels.alloc(8);
      kept = buffer;
    }
    await fails(() => kept.bytes(), "freed");
  },
  "transferred away: refused, not a stale view": async (kernels) => {
    const buffer = kernels.alloc(400);
    if (buffer.zeroCopy) return; // Shared memory cannot be transferred.
    structuredClone(null, { transfer: [buffer.bytes().buffer as ArrayBuffer] });
    await fails(() => buffer.bytes(), "freed", "transferred");
    await fails(kernels.blur(buffer, { width: 10, height: 10, sigma: 1 }), "freed", "transferred");
    const none = kernels.alloc(0);
    structuredClone(null, { transfer: [none.bytes().buffer as ArrayBuffer] });
    await fails(kernels.crc32(none), "freed");
    equal(await kernels.crc32(new TextEncoder().encode("123456789")), 0xcbf4_3926, "the worker takes work");
    const detached = new Uint8Array(10);
    structuredClone(null, { transfer: [detached.buffer] });
    await fails(kernels.from(detached), "freed", "detached");
    await fails(kernels.crc32(detached), "freed", "detached");
    await fails(kernels.from(detached.buffer), "freed", "detached");
  },
  "transferred away while it is read: refused, not half of it": async (kernels) => {
    for (const read of [(bytes: Uint8Array) => kernels.from(bytes), (bytes: Uint8Array) => kernels.crc32(bytes)]) {
      const bytes = noise(9_000_000);
      const reading = read(bytes);
      structuredClone(null, { transfer: [bytes.buffer] });
      await fails(reading, "freed", "while they were read");
    }
  },
  "from: every kind of source": async (kernels) => {
    const bytes = noise(9_000_000, 2);
    const chunks = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 1_234_567) controller.enqueue(bytes.subarray(at, at + 1_234_567));
          controller.close();
        },
      });
    const url = URL.createObjectURL(new Blob([bytes]));
    const sources = {
      view: bytes,
      buffer: bytes.buffer,
      blob: new Blob([bytes]),
      stream: chunks(),
      response: await fetch(url),
      "response without a length": new Response(chunks()),
      "data view": new DataView(bytes.buffer),
    };
    for (const [name, source] of Object.entries(sources)) {
      const told: number[] = [];
      using buffer = await kernels.from(source, { onProgress: (fraction) => void told.push(fraction) });
      equal(buffer.byteLength, bytes.length, name);
      const view = buffer.bytes();
      ok(bytes.every((byte, index) => byte === view[index]), `the bytes of the ${name}`);
      equal(told.at(-1), 1, `progress of the ${name}`);
    }
    equal(bytes.byteLength, 9_000_000, "the source is still whole");
    using none = await kernels.from(new Blob([]));
    equal(none.byteLength, 0);
  },
  "from: a response that is an error, a source that is none": async (kernels) => {
    await fails(kernels.from(await fetch("/not-there")), "load", "404");
    await fails(kernels.from("text" as unknown as Blob), "unsupported");
    const broken = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("cut off")) });
    await fails(kernels.from(broken), "load", "cut off");
  },
};
