// The program of every worker. It starts when told to, then answers one message after the other.

import { type DirectKernels, instantiate } from "./direct.js";
import { KernelError, reasonOf } from "./errors.js";
import { type Ask, run } from "./jobs.js";
import { Operands } from "./operands.js";
import type { Failure, FromWorker, Start, ToWorker } from "./protocol.js";

/** Progress is told at most this often: a few frames. */
const PROGRESS_EVERY_MS = 40;

/** Of a worker's global scope, what this program uses; the page's types are the ones at hand. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as Scope;
let kernels: DirectKernels | undefined;
let control: Int32Array | undefined;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start":
      void start(data);
      return;
    case "job":
      work(data);
      return;
    case "forget":
      kernels?.exports.tk_sorted_free(data.handle);
      return;
  }
};

async function start({ tier, module, memory, stack, role, control: word }: Start): Promise<void> {
  try {
    const made = await instantiate({
      tier,
      module,
      ...(memory ? { memory } : {}),
      ...(stack ? { stack } : {}),
    });
    if (word) control = new Int32Array(word);
    kernels = made;
    scope.postMessage({ kind: "ready" });
    // Does not come back: a helper waits inside the module for what the caller has for it.
    if (role === "helper") made.exports.tk_pool_worker?.();
  } catch (error) {
    scope.postMessage({ kind: "unready", failure: failureOf(error, "load") });
  }
}

function work({ id, job, operands, abortable, progress }: Extract<ToWorker, { kind: "job" }>): void {
  if (!kernels) {
    const failure: Failure = { code: "crashed", message: "the worker was given work before it had started" };
    scope.postMessage({ kind: "failed", id, failure });
    return;
  }
  const io = new Operands(kernels, operands, abortable, (index, buffer) =>
    scope.postMessage({ kind: "operand", id, index, buffer }, [buffer]),
  );
  const ask = asker(id, progress);
  kernels.onProgress = ask;
  try {
    const result = run(job, io, ask);
    io.release();
    const { computeMs, copyMs } = io;
    const tables = result.sorted ? [result.sorted.permutation, result.sorted.starts, result.sorted.ends] : [];
    const buffers = tables.flatMap((table) => (typeof table === "number" ? [] : [table.buffer]));
    const transfer = result.out ? [result.out, ...buffers] : buffers;
    scope.postMessage({ kind: "done", id, result, timing: { computeMs, copyMs } }, transfer);
  } catch (error) {
    io.rescue();
    const failure = failureOf(error, "crashed");
    // After a trap the module is in no state to be called again.
    if (failure.code !== "crashed") io.release();
    scope.postMessage({ kind: "failed", id, failure });
  }
}

/** Answers the kernel whether to end, and tells the page how far it is. */
function asker(id: number, progress: boolean): Ask {
  let told = performance.now();
  return (done, total) => {
    if (control && Atomics.load(control, 0) !== 0) return true;
    const now = performance.now();
    if (progress && total > 0 && now - told >= PROGRESS_EVERY_MS) {
      told = now;
      scope.postMessage({ kind: "progress", id, fraction: Math.min(1, done / total) });
    }
    return false;
  };
}

function failureOf(error: unknown, otherwise: Failure["code"]): Failure {
  if (error instanceof KernelError) return { code: error.code, message: error.message, offset: error.offset };
  return { code: otherwise, message: reasonOf(error) };
}
