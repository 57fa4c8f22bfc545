// `@tombolo/web/direct` in Node: this process is the thread.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { detect, type DirectKernels, instantiate, KernelError, type Tier } from "../dist/direct.js";

const tiers: Tier[] = ["baseline", "simd", "threads"];

function crc32(kernels: DirectKernels, text: string): number {
  const bytes = new TextEncoder().encode(text);
  const at = kernels.copyIn(bytes);
  try {
    return kernels.exports.tk_crc32(0, at, bytes.byteLength) >>> 0;
  } finally {
    kernels.free(at, bytes.byteLength);
  }
}

describe.each(tiers)("%s", (tier) => {
  it("loads this package's own module from its file", async () => {
    const kernels = await instantiate({ tier });
    expect(kernels.features).toEqual({
      simd: tier !== "baseline",
      relaxedSimd: tier === "threads" && detect().relaxedSimd,
      threads: tier === "threads",
    });
    expect(crc32(kernels, "123456789")).toBe(0xcbf4_3926);
  });

  it("takes bytes and modules", async () => {
    const file = await readFile(new URL(`../dist/wasm/${tier}.wasm`, import.meta.url));
    const kernels = await instantiate({ tier, bytes: file });
    const again = await instantiate({ tier, module: kernels.module });
    expect(crc32(again, "")).toBe(0);
    expect(again.memory).not.toBe(kernels.memory);
  });

  it("turns statuses into errors that say why", async () => {
    const kernels = await instantiate({ tier });
    const { exports } = kernels;
    const at = kernels.alloc(64);
    const failed = (status: number) => {
      try {
        kernels.check(status);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(failed(exports.tk_blur(at, 4, 4, 1))).toBeUndefined();
    expect(failed(exports.tk_blur(at, 0, 4, 1))).toMatchObject({ code: "bad-size", message: expect.stringMatching(/width|height/) });
    expect(failed(exports.tk_blur(at, 4, 4, Number.NaN))).toMatchObject({ code: "bad-number" });
    expect(failed(exports.tk_blur(0xffff_fff0, 4, 4, 1))).toMatchObject({ code: "bad-size" });
    expect(failed(exports.tk_blur(at, 2 ** 31, 2 ** 31, 1))).toBeInstanceOf(KernelError);
    expect(() => kernels.alloc(2 ** 40)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
  });

  it("hears of progress, and may end the work", async () => {
    const kernels = await instantiate({ tier });
    // Long enough to be asked within it: a kernel looks up every few milliseconds only.
    const [width, height] = [2000, 1500];
    const at = kernels.alloc(width * height * 4);
    const told: [number, number][] = [];
    kernels.onProgress = (done, total) => told.push([done, total]) === 0;
    kernels.check(kernels.exports.tk_blur(at, width, height, 10));
    expect(told.length).toBeGreaterThan(0);
    for (const [done, total] of told) expect(done).toBeLessThanOrEqual(total);
    kernels.onProgress = () => true;
    expect(kernels.error(kernels.exports.tk_blur(at, width, height, 10))).toMatchObject({ code: "aborted" });
  });
});

describe("what is no module of ours", () => {
  it("is refused", async () => {
    const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    await expect(instantiate({ tier: "simd", bytes: empty })).rejects.toMatchObject({ code: "load" });
    await expect(instantiate({ tier: "simd", bytes: new Uint8Array(9) })).rejects.toMatchObject({ code: "load" });
    await expect(instantiate({ tier: "simd", url: "file:///not/there.wasm" })).rejects.toMatchObject({ code: "load" });
  });
});
