// Loads a tier for tests and measurements, in Node. Workers of the threads tier run this same file.
import { readFileSync, existsSync } from "node:fs";
import { Worker, isMainThread, workerData } from "node:worker_threads";

const path = (tier) =>
  new URL(`./target/${tier}/wasm32-unknown-unknown/release/tombolo_kernels.wasm`, import.meta.url);

export const isBuilt = (tier) => existsSync(path(tier));

const STACK_BYTES = 1 << 20;

/** The exports of a tier, its memory, and `stop` to send its workers away. `watch` is asked for progress. */
export async function load(tier, { threads = 1, pagesMax = 16384, watch = () => 0 } = {}) {
  const module = await WebAssembly.compile(readFileSync(path(tier)));
  const shared = WebAssembly.Module.imports(module).some(({ name }) => name === "memory");
  const env = { tk_progress: (done, total) => watch(done, total) };
  if (shared) env.memory = new WebAssembly.Memory({ initial: 64, maximum: pagesMax, shared: true });
  const { exports } = await WebAssembly.instantiate(module, { env });
  const memory = shared ? env.memory : exports.memory;
  const workers = [];
  for (let count = 1; shared && count < threads; count++) {
    const stack = exports.tk_alloc(STACK_BYTES, 16) + STACK_BYTES;
    const tls = exports.tk_alloc(exports.__tls_size.value, exports.__tls_align.value || 1);
    const joins = { module, memory, stack, tls };
    workers.push(new Worker(new URL(import.meta.url), { workerData: { joins } }));
  }
  while (exports.tk_pool_size() < threads && workers.length > 0) await new Promise((go) => setTimeout(go, 5));
  const stop = async () => {
    exports.tk_pool_stop();
    await Promise.all(workers.map((worker) => new Promise((gone) => worker.on("exit", gone))));
  };
  return { exports, memory, stop };
}

if (!isMainThread && workerData?.joins) {
  const { module, memory, stack, tls } = workerData.joins;
  // Only the thread that was called is asked to report; a worker's import is never used.
  const env = { memory, tk_progress: () => 0 };
  const { exports } = await WebAssembly.instantiate(module, { env });
  exports.__stack_pointer.value = stack;
  exports.__wasm_init_tls(tls);
  exports.tk_pool_worker();
}
