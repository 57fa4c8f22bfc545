// Loading, falling back, closing, and workers that break. These tests load kernels themselves.

import { loadKernels, type LoadOptions } from "@tombolo/web";
import { equal, fails, loaded, type LoadingCases, near, noise, ok } from "./check.js";

/** Modules whose `tk_fibonacci` traps: the server makes them from the real ones. */
const TRAPPING = "/trapping";

const always: LoadingCases = {
  "a tier that was asked for": () =>
    loaded({ tier: "baseline", workers: 2 }, (kernels) => {
      equal(kernels.environment.tier, "baseline");
      equal(kernels.environment.workers, 2);
    }),
  "options that are none": async () => {
    await fails(loadKernels({ workers: 0 }), "bad-number", "`workers`");
    await fails(loadKernels({ memoryBytesMax: -1 }), "bad-number", "`memoryBytesMax`");
    await fails(loadKernels({ tier: "fastest" as "auto" }), "unsupported", "`tier`");
  },
  "modules that are not there": async () => {
    const error = await fails(loadKernels({ baseUrl: "/nowhere" }), "load", "404");
    ok(error.message.includes("/nowhere/baseline.wasm"), `the address in: ${error.message}`);
  },
  "a module that is none": async () => {
    await fails(loadKernels({ baseUrl: "/garbage" }), "load");
  },
  "modules that another server names wrongly are compiled all the same": () =>
    loaded({ baseUrl: "/untyped" }, async (kernels) => equal(await kernels.fibonacci(10), 55n)),
  "loading that is aborted": async () => {
    const controller = new AbortController();
    const loading = loadKernels({ signal: controller.signal });
    controller.abort("left the page");
    equal((await fails(loading, "aborted")).cause, "left the page");
    await fails(loadKernels({ signal: AbortSignal.abort() }), "aborted");
  },
  "closed: work and memory are refused": async () => {
    const kernels = await loadKernels();
    const buffer = kernels.alloc(3000 * 2000 * 4);
    const work = kernels.blur(buffer, { width: 3000, height: 2000, sigma: 20 });
    const waiting = kernels.crc32(buffer);
    await Promise.all([fails(work, "closed"), fails(waiting, "closed"), kernels.close()]);
    await fails(() => kernels.alloc(1), "closed");
    await fails(kernels.fibonacci(1), "closed");
    await kernels.close();
  },
  "await using closes": async () => {
    let kept;
    {
      await using kernels = await loadKernels();
      kept = kernels;
    }
    await fails(kept.fibonacci(1), "closed");
  },
  "a buffer of other kernels is refused": () =>
    loaded({}, (first) =>
      loaded({ tier: "baseline" }, async (second) => {
        const buffer = first.alloc(400);
        const size = { width: 10, height: 10 };
        await fails(second.blur(buffer, { ...size, sigma: 1 }), "unsupported", "not of others");
        await fails(second.crc32(buffer), "unsupported", "not of others");
        using made = await second.resize(second.alloc(400), { ...size, to: size });
        await fails(first.crc32(made), "unsupported", "not of others");
        equal(await second.crc32(made), await first.crc32(buffer), "its own, also one that a kernel made");
      }),
    ),
  "two sets of kernels side by side": () =>
    loaded({}, (first) =>
      loaded({ tier: "baseline" }, async (second) => {
        const [a, b] = [first.alloc(8), second.alloc(8)];
        equal(await first.crc32(a), await second.crc32(b));
      }),
    ),
};

/** A worker that traps: its work fails, other buffers are whole, and the next work runs. */
async function crashes(options: LoadOptions): Promise<void> {
  await loaded({ ...options, baseUrl: TRAPPING }, async (kernels) => {
    const bytes = noise(100_000);
    const [buffer, empty] = [await kernels.from(bytes), kernels.alloc(64)];
    const expected = await kernels.crc32(buffer);
    using sorted = await kernels.sortJson(await kernels.from(new TextEncoder().encode('[{"a":2},{"a":1}]')), { key: "a" });
    await fails(kernels.fibonacci(5), "crashed");
    near(buffer.bytes(), bytes, 0, "bytes after the crash");
    equal(await kernels.crc32(buffer), expected, "work after the crash");
    equal(empty.bytes().byteLength, 64);
    equal(sorted.text(0), '{"a":1}');
    using text = await sorted.toBytes();
    equal(new TextDecoder().decode(text.bytes().slice()), '[{"a":1},{"a":2}]');
    ok(kernels.environment.notes.some((note) => note.includes("replaced")), `a note, found: ${kernels.environment.notes}`);
    const work = await Promise.allSettled([kernels.fibonacci(6), kernels.crc32(buffer), kernels.fibonacci(7)]);
    equal(work.map(({ status }) => status).join(), "rejected,fulfilled,rejected");
    equal(await kernels.crc32(buffer), expected, "work after three crashes");
    buffer.free();
    empty.free();
  });
}

/** Aborted work that cannot be asked to stop. */
async function stubborn(options: LoadOptions): Promise<void> {
  await loaded(options, async (kernels) => {
    const controller = new AbortController();
    const start = performance.now();
    const work = kernels.fibonacci(60, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await fails(work, "aborted");
    ok(performance.now() - start < 3000, "the promise does not wait for the kernel");
    if (kernels.environment.tier !== "threads") equal(await kernels.fibonacci(10), 55n, "on a new worker");
  });
}

const isolated: LoadingCases = {
  "the best tier, and nothing to note": () =>
    loaded({}, ({ environment }) => {
      equal(environment.tier, "threads");
      ok(environment.crossOriginIsolated && environment.threads && environment.simd, JSON.stringify(environment));
      equal(environment.notes.length, 0, `notes: ${environment.notes}`);
    }),
  "threads: helpers join, and results are the same with any number": async () => {
    const size = { width: 301, height: 203 };
    const source = noise(size.width * size.height * 4);
    const results: Uint8Array[] = [];
    for (const workers of [1, 2, 5]) {
      await loaded({ tier: "threads", workers }, async (kernels) => {
        for (let round = 0; round < 10; round += 1) {
          using pixels = await kernels.from(source);
          await kernels.blur(pixels, { ...size, sigma: 3 });
          results.push(pixels.bytes().slice());
        }
      });
    }
    for (const result of results) near(result, results[0]!, 0);
  },
  "threads: less memory than asked for is an error": () =>
    loaded({ tier: "threads", memoryBytesMax: 32 << 20, workers: 2 }, async (kernels) => {
      await fails(() => kernels.alloc(40 << 20), "out-of-memory", "`memoryBytesMax`");
      // The kernel's own scratch does not fit beside it: an error as well.
      const most = { width: 2400, height: 2200 };
      using pixels = kernels.alloc(most.width * most.height * 4);
      await kernels.blur(pixels, { ...most, sigma: 30 }).catch((error: { code: string }) => equal(error.code, "out-of-memory"));
      equal(await kernels.fibonacci(9), 34n);
    }),
  "threads: a memory of 4 GiB, or else a note": () =>
    loaded({ memoryBytesMax: 4 * 2 ** 30 }, ({ environment }) => {
      ok(environment.tier === "threads" || environment.notes.length > 0, JSON.stringify(environment));
    }),
  "a crash: threads": () => crashes({ tier: "threads", workers: 2 }),
  "stubborn work: threads": () => stubborn({ tier: "threads" }),
};

const bare: LoadingCases = {
  "falls back without isolation, and says why": () =>
    loaded({}, ({ environment }) => {
      equal(environment.tier, "simd");
      ok(!environment.crossOriginIsolated && !environment.threads, JSON.stringify(environment));
      ok(environment.notes.some((note) => note.includes("Cross-Origin-Opener-Policy")), `notes: ${environment.notes}`);
    }),
  "threads that were asked for are refused": async () => {
    await fails(loadKernels({ tier: "threads" }), "unsupported", "cross-origin isolated");
  },
};

const both: LoadingCases = {
  "a crash: simd": () => crashes({ tier: "simd", workers: 1 }),
  "a crash: baseline, several workers": () => crashes({ tier: "baseline", workers: 3 }),
  "stubborn work: simd": () => stubborn({ tier: "simd" }),
};

export const cases = { isolated: { ...always, ...isolated, ...both }, bare: { ...always, ...bare, ...both } };

/** On a server whose worker program is missing or throws. */
export const broken: LoadingCases = {
  "workers that do not start": async () => {
    await fails(loadKernels(), "load", "worker");
    await fails(loadKernels({ tier: "simd" }), "load", "worker");
  },
};
