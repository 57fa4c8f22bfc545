// A thread that helps the threads tier: joins its pool and stays there. In a browser or in Node.

import { instantiate } from "../../package/dist/direct.js";

/** @param {{ url: string, relaxed: boolean, memory: WebAssembly.Memory, stack: { at: number, bytes: number } }} message */
async function join({ url, relaxed, memory, stack }) {
  const kernels = await instantiate({ tier: "threads", relaxed, url, memory, stack });
  if (!kernels.exports.tk_pool_worker) throw new Error("this module has no pool to join");
  kernels.exports.tk_pool_worker();
}

if (typeof self === "undefined") {
  const { parentPort } = await import("node:worker_threads");
  parentPort?.once("message", join);
} else {
  self.addEventListener("message", ({ data }) => join(data), { once: true });
}
