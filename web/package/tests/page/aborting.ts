// Aborted work: rejects, leaves its buffers usable, and what comes after it runs.

import { type Cases, equal, fails, near, noise, ok } from "./check.js";

const LARGE = { width: 3000, height: 2000 };

/** A signal that is aborted in so many milliseconds. */
function after(ms: number, reason: string): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error(reason)), ms);
  return controller.signal;
}

export const cases: Cases = {
  "aborted before it starts": async (kernels) => {
    const buffer = kernels.alloc(400);
    const signal = AbortSignal.abort("no longer wanted");
    const error = await fails(kernels.blur(buffer, { width: 10, height: 10, sigma: 1, signal }), "aborted");
    equal(error.cause, "no longer wanted");
    equal(buffer.bytes().byteLength, 400);
    await fails(kernels.from(new Uint8Array(9), { signal }), "aborted");
    await fails(kernels.crc32(new Uint8Array(9), { signal }), "aborted");
  },
  "aborted while it computes: soon, and its source is whole": async (kernels) => {
    const bytes = noise(1000);
    const json = await kernels.from(new TextEncoder().encode(`[${'{"a":1,"b":[1,2,3]},'.repeat(2_000_000)}{"a":0}]`));
    const start = performance.now();
    const error = await fails(kernels.sortJson(json, { key: "a", signal: after(20, "changed my mind") }), "aborted");
    ok(performance.now() - start < 5000, "an end within seconds");
    equal((error.cause as Error).message, "changed my mind");
    equal(await kernels.crc32(bytes), await kernels.crc32(new Blob([bytes])), "work after it");
    using sorted = await kernels.sortJson(json, { key: "a" });
    equal(sorted.text(0), '{"a":0}');
    json.free();
  },
  "aborted in place: the buffer can be used again": async (kernels) => {
    const pixels = kernels.alloc(LARGE.width * LARGE.height * 4);
    pixels.bytes().fill(200);
    await fails(kernels.blur(pixels, { ...LARGE, sigma: 60, signal: after(5, "stop") }), "aborted");
    // Where work that cannot stop is left to end, the buffer comes back with its end.
    await kernels.blur(pixels, { ...LARGE, sigma: 1 });
    ok(pixels.bytes().every((byte) => byte === 200), "a plain colour stays what it is");
    pixels.free();
  },
  "aborted while it waits: what runs goes on": async (kernels) => {
    const size = { width: 900, height: 700 };
    const pixels = kernels.alloc(size.width * size.height * 4);
    const controller = new AbortController();
    const first = kernels.blur(pixels, { ...size, sigma: 9 });
    const second = kernels.blur(pixels, { ...size, sigma: 9, signal: controller.signal });
    controller.abort();
    await fails(second, "aborted");
    await first;
    equal(pixels.bytes().byteLength, size.width * size.height * 4);
  },
  "aborted many times in a row, as a slider does": async (kernels) => {
    const size = { width: 800, height: 600 };
    const source = noise(size.width * size.height * 4);
    let last: Promise<void> | undefined;
    for (let step = 1; step <= 12; step += 1) {
      const pixels = await kernels.from(source);
      const controller = new AbortController();
      last = kernels.blur(pixels, { ...size, sigma: step, ...(step < 12 ? { signal: controller.signal } : {}) });
      if (step < 12) {
        setTimeout(() => controller.abort(), step);
        await last.catch(() => {});
      } else await last;
      pixels.free();
    }
  },
  "a stream is let go": async (kernels) => {
    let cancelled: unknown;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) =>
          new Promise((resolve) =>
            setTimeout(() => {
              controller.enqueue(new Uint8Array(65_536));
              resolve();
            }, 1),
          ),
        cancel: (reason) => void (cancelled = reason),
      });
    await fails(kernels.crc32(endless(), { signal: after(50, "enough") }), "aborted");
    equal((cancelled as Error).message, "enough");
    cancelled = undefined;
    await fails(kernels.from(endless(), { signal: after(50, "enough again") }), "aborted");
    equal((cancelled as Error).message, "enough again");
  },
  "listeners that throw: reported, and the work succeeds": async (kernels) => {
    const reported: string[] = [];
    const hear = (event: ErrorEvent) => {
      event.preventDefault();
      reported.push((event.error as Error).message);
    };
    addEventListener("error", hear);
    try {
      const onTiming = () => {
        throw new Error("from onTiming");
      };
      const onProgress = () => {
        throw new Error("from onProgress");
      };
      const buffer = await kernels.from(noise(9_000_000), { onProgress });
      using halved = await kernels.resize(buffer, { width: 1500, height: 1500, to: { width: 750, height: 750 }, onTiming, onProgress });
      equal(halved.byteLength, 750 * 750 * 4);
      equal(await kernels.crc32(buffer, { onTiming, onProgress }), await kernels.crc32(new Blob([buffer.bytes().slice()]), { onTiming, onProgress }));
      buffer.free();
      await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      removeEventListener("error", hear);
    }
    for (const from of ["from onTiming", "from onProgress"]) ok(reported.includes(from), `${from} in: ${reported}`);
  },
  "progress goes up to 1, and stops with an abort": async (kernels) => {
    const pixels = kernels.alloc(LARGE.width * LARGE.height * 4);
    const told: number[] = [];
    await kernels.blur(pixels, { ...LARGE, sigma: 40, onProgress: (fraction) => void told.push(fraction) });
    equal(told.at(-1), 1);
    near(told, [...told].sort((a, b) => a - b), 0, "ascending");
    const controller = new AbortController();
    let late = 0;
    const work = kernels.blur(pixels, {
      ...LARGE,
      sigma: 40,
      signal: controller.signal,
      onProgress: () => (controller.signal.aborted ? (late += 1) : controller.abort()),
    });
    await work.catch(() => {});
    equal(late, 0, "progress told after the abort");
    pixels.free();
  },
};
