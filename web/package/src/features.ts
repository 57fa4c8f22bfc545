import type { Tier } from "./types.js";

/** What the engine and the page allow. */
export interface Features {
  readonly crossOriginIsolated: boolean;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** The engine knows shared memory and atomics. */
  readonly atomics: boolean;
  /** `SharedArrayBuffer` is there: a browser hides it from pages that are not isolated. */
  readonly sharedMemory: boolean;
  readonly cores: number;
}

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A function from nothing to a vector, whose code follows. */
const TO_VECTOR = [...HEADER, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0];

/** Each the smallest module that only an engine with the feature finds valid. */
const PROBES = {
  // i32.const 0; i8x16.splat; i8x16.popcnt
  simd: [...TO_VECTOR, 10, 10, 1, 8, 0, 0x41, 0, 0xfd, 15, 0xfd, 98, 0x0b],
  // i32.const 0; i8x16.splat; i32.const 0; i8x16.splat; i8x16.relaxed_swizzle
  relaxedSimd: [
    ...[...TO_VECTOR, 10, 15, 1, 13, 0, 0x41, 0, 0xfd, 15],
    ...[0x41, 0, 0xfd, 15, 0xfd, 0x80, 2, 0x0b],
  ],
  // (memory 1 1 shared); i32.const 0; i32.atomic.load; drop
  atomics: [
    ...[...HEADER, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1],
    ...[10, 11, 1, 9, 0, 0x41, 0, 0xfe, 0x10, 2, 0, 0x1a, 0x0b],
  ],
};

function valid(probe: readonly number[]): boolean {
  return WebAssembly.validate(new Uint8Array(probe));
}

/** Asks the engine; takes well under a millisecond. */
export function detect(): Features {
  const sharedMemory = typeof SharedArrayBuffer !== "undefined";
  return {
    // Outside browsers nothing hides shared memory, and nothing is isolated by headers.
    crossOriginIsolated: globalThis.crossOriginIsolated ?? sharedMemory,
    simd: valid(PROBES.simd),
    relaxedSimd: valid(PROBES.relaxedSimd),
    atomics: valid(PROBES.atomics),
    sharedMemory,
    cores: globalThis.navigator?.hardwareConcurrency || 1,
  };
}

/** Why a tier does not run here, in words; nothing if it does. */
export function obstacle(tier: Tier, features: Features): string | undefined {
  if (tier === "baseline") return undefined;
  if (!features.simd) return `no ${tier} tier: this engine has no SIMD`;
  if (tier === "simd") return undefined;
  if (!features.atomics) return "no threads tier: this engine has no shared memory for WebAssembly";
  if (!features.crossOriginIsolated || !features.sharedMemory) {
    return (
      "no threads tier: the page is not cross-origin isolated; serve it with " +
      "`Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`"
    );
  }
  return undefined;
}
