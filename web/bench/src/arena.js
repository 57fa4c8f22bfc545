// One workload in one engine: loads the tiers, makes the contestants, takes samples when told.
//
// JavaScript and wasm each have an arena of their own, with a heap of its own: a wasm memory that grows
// detaches buffers, and in a heap where that ever happened V8 11 (Node 20) checks each access to a typed
// array for it. That made the JavaScript here up to 40 % slower, and would have flattered wasm.

import { detect, instantiate, moduleName, moduleUrl, sharedMemory } from "../../package/dist/direct.js";
import { workloads } from "./contestants.js";

const STACK_BYTES = 1 << 20;

/**
 * @typedef {object} Sample
 * @property {number} wallMs of one run
 */

/** @typedef {"JavaScript" | "wasm"} Side */

/**
 * @param {string} workload
 * @param {Side} side whose contestants are sampled; wasm's are compared with JavaScript before
 * @param {(url: URL) => { postMessage(message: unknown): void }} spawn makes a worker of a module
 */
export async function openArena(workload, side, spawn) {
  const relaxed = detect().relaxedSimd;
  const all = await workloads[workload](side === "wasm" ? await tiers(relaxed, spawn) : []);
  const contestants = all.filter(({ name }) => name.startsWith("wasm") === (side === "wasm"));
  return {
    names: contestants.map(({ name }) => name),
    relaxed,

    /** Runs each once, and compares what comes out. */
    warmUp() {
      /** @type {ArrayLike<number> | undefined} */
      let expected;
      for (const { name, run, result, tolerance = 0 } of all) {
        run();
        if (!result) continue;
        const values = result();
        expected ??= Array.isArray(values) ? values : /** @type {any} */ (values).slice();
        compare(name, values, /** @type {ArrayLike<number>} */ (expected), tolerance);
      }
    },

    /**
     * @param {number} index
     * @param {number} runs that are averaged
     * @returns {Sample}
     */
    sample(index, runs) {
      const { run, calls = 1 } = contestants[index];
      const start = performance.now();
      for (let i = 0; i < runs; i++) run();
      return { wallMs: (performance.now() - start) / runs / calls };
    },

    /** How many calls a run of each makes. */
    calls: contestants.map(({ calls = 1 }) => calls),
  };
}

/**
 * @param {boolean} relaxed
 * @param {(url: URL) => { postMessage(message: unknown): void }} spawn
 * @returns {Promise<import("./contestants.js").Wasm[]>}
 */
async function tiers(relaxed, spawn) {
  return [
    { name: "wasm baseline", kernels: await instantiate({ tier: "baseline" }) },
    { name: "wasm simd", kernels: await instantiate({ tier: "simd" }) },
    { name: "wasm threads, 1", kernels: await crew(0, relaxed, spawn) },
    { name: "wasm threads, 2", kernels: await crew(1, relaxed, spawn) },
  ];
}

/**
 * An instance of the threads tier with helpers that wait for work.
 * @param {number} helpers
 * @param {boolean} relaxed
 * @param {(url: URL) => { postMessage(message: unknown): void }} spawn
 */
async function crew(helpers, relaxed, spawn) {
  const memory = sharedMemory();
  const kernels = await instantiate({ tier: "threads", relaxed, memory });
  for (let i = 0; i < helpers; i++) {
    const stack = { at: kernels.alloc(STACK_BYTES), bytes: STACK_BYTES };
    const url = moduleUrl(moduleName("threads", relaxed)).href;
    spawn(new URL("./helper.js", import.meta.url)).postMessage({ url, relaxed, memory, stack });
  }
  const exports = /** @type {{ tk_pool_size(): number }} */ (/** @type {unknown} */ (kernels.exports));
  for (const deadline = performance.now() + 10_000; exports.tk_pool_size() <= helpers; ) {
    if (performance.now() > deadline) throw new Error(`${helpers} helpers did not join within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return kernels;
}

/**
 * @param {string} name
 * @param {ArrayLike<number>} values
 * @param {ArrayLike<number>} expected
 * @param {number} tolerance
 */
function compare(name, values, expected, tolerance) {
  if (values.length !== expected.length) throw new Error(`${name}: ${values.length} values, not ${expected.length}`);
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(values[i] - expected[i]) <= tolerance)) {
      throw new Error(`${name}: value ${i} is ${values[i]}, and ${expected[i]} for the first contestant`);
    }
  }
}
