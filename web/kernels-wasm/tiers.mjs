// Loads a tier for tests and measurements, in Node. Workers of the threads tier run this same file.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";

// What `cargo xtask web` built; KERNELS names another folder.
const folder = process.env.KERNELS
  ? pathToFileURL(`${process.env.KERNELS}/`)
  : new URL("../../target/web/", import.meta.url);

export const bytesOf = (tier) => readFileSync(new URL(`${tier}.wasm`, folder));

const STACK_BYTES = 1 << 20;

/**
 * The exports of a tier, its memory, `join` to add a worker, which it answers, and `stop` to send all of them away.
 * `watch` is asked for progress. Without `pagesMax` the memory has a maximum of 1 GiB.
 */
export async function load(tier, { threads = 1, pagesMax = 16_384, watch = () => 0 } = {}) {
  const module = await WebAssembly.compile(bytesOf(tier));
  const shared = WebAssembly.Module.imports(module).some(({ name }) => name === "memory");
  const env = { tk_progress: (done, total) => watch(done, total) };
  if (shared) env.memory = new WebAssembly.Memory({ initial: 64, maximum: pagesMax, shared: true });
  const { exports } = await WebAssembly.instantiate(module, { env });
  const memory = shared ? env.memory : exports.memory;
  const workers = [];

  const join = async () => {
    const before = exports.tk_pool_size();
    const stack = exports.tk_alloc(STACK_BYTES, 16) + STACK_BYTES;
    const tls = exports.tk_alloc(exports.__tls_size.value, exports.__tls_align.value || 1);
    const worker = new Worker(new URL(import.meta.url), { workerData: { joins: { module, memory, stack, tls } } });
    const failed = new Promise((_, fail) => worker.on("error", fail));
    workers.push({ failed, gone: new Promise((gone) => worker.on("exit", gone)) });
    while (exports.tk_pool_size() === before) {
      await Promise.race([failed, new Promise((go) => setTimeout(go, 2))]);
    }
    return worker;
  };
  const stop = async () => {
    exports.tk_pool_stop();
    await Promise.all(workers.splice(0).map(({ failed, gone }) => Promise.race([failed, gone])));
  };
  for (let count = 1; shared && count < threads; count++) await join();
  return { exports, memory, join, stop };
}

if (!isMainThread && workerData?.joins) {
  const { module, memory, stack, tls } = workerData.joins;
  const asked = () => {
    throw new Error("only the thread that was called tells of progress");
  };
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, tk_progress: asked } });
  exports.__stack_pointer.value = stack;
  exports.__wasm_init_tls(tls);
  exports.tk_pool_worker();
}
