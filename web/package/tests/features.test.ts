import { describe, expect, it } from "vitest";
import { detect, type Features, obstacle } from "../src/features.js";

const all: Features = {
  crossOriginIsolated: true,
  simd: true,
  relaxedSimd: true,
  atomics: true,
  sharedMemory: true,
  cores: 4,
};

describe("which tiers run", () => {
  it("all, where everything is there", () => {
    for (const tier of ["threads", "simd", "baseline"] as const) expect(obstacle(tier, all)).toBeUndefined();
  });

  it.each([
    ["threads", { crossOriginIsolated: false }, "cross-origin isolated"],
    ["threads", { sharedMemory: false }, "cross-origin isolated"],
    ["threads", { atomics: false }, "shared memory"],
    ["threads", { simd: false }, "SIMD"],
    ["simd", { simd: false }, "SIMD"],
  ] as const)("not %s with %o, and it says why", (tier, missing, says) => {
    expect(obstacle(tier, { ...all, ...missing })).toContain(says);
    expect(obstacle("baseline", { ...all, ...missing })).toBeUndefined();
  });

  it("this engine is asked: Node has SIMD and shared memory", () => {
    expect(detect()).toMatchObject({ simd: true, atomics: true, sharedMemory: true, crossOriginIsolated: true });
  });
});
