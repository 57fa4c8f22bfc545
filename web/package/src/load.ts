import { TIERS } from "./abi.js";
import { AloneCrew, type Crew, SharedCrew } from "./crew.js";
import { compile, moduleName, moduleUrl } from "./direct.js";
import { aborted, KernelError, reasonOf } from "./errors.js";
import { detect, type Features, obstacle } from "./features.js";
import { WorkerKernels } from "./kernels.js";
import { Scheduler } from "./scheduler.js";
import type { Environment, Kernels, LoadOptions, Tier } from "./types.js";

const MEMORY_BYTES_DEFAULT = 1 << 30;
const MEMORY_BYTES_MAX = 4 * (1 << 30);
/** More threads than this gain little on what the kernels do, and each takes a stack. */
const THREADS_DEFAULT_MAX = 8;
/** Each of these has a memory of its own. */
const ALONE_DEFAULT_MAX = 4;
const WORKERS_MAX = 64;

/**
 * Loads the best build of the kernels that runs here, and starts its workers.
 *
 * @throws KernelError `load` if it cannot be fetched or no worker starts, `unsupported` if the tier
 * that was asked for does not run here, `aborted`.
 */
export async function loadKernels(options: LoadOptions = {}): Promise<Kernels> {
  const { tier = "auto", signal } = options;
  checkOptions(options);
  const features = detect();
  if (tier !== "auto") {
    const reason = obstacle(tier, features);
    if (reason) throw new KernelError("unsupported", reason);
    return open(tier, features, options, []);
  }
  const notes: string[] = [];
  for (const candidate of TIERS) {
    const reason = obstacle(candidate, features);
    if (reason) {
      notes.push(reason);
      continue;
    }
    try {
      return await open(candidate, features, options, notes);
    } catch (error) {
      if (candidate === "baseline" || signal?.aborted) throw error;
      notes.push(`no ${candidate} tier: ${reasonOf(error)}`);
    }
  }
  throw new KernelError("load", "no tier runs here"); // Unreached: the baseline has no obstacle.
}

function checkOptions({ tier = "auto", workers, memoryBytesMax }: LoadOptions): void {
  if (tier !== "auto" && !TIERS.includes(tier)) {
    throw new KernelError("unsupported", `\`tier\` must be \`auto\` or one of ${TIERS.join(", ")}`);
  }
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 1 && workers <= WORKERS_MAX)) {
    throw new KernelError("bad-number", `\`workers\` must be a whole number from 1 to ${WORKERS_MAX}`);
  }
  if (memoryBytesMax !== undefined && !(memoryBytesMax > 0 && memoryBytesMax <= MEMORY_BYTES_MAX)) {
    throw new KernelError("bad-number", `\`memoryBytesMax\` must be above 0 and at most ${MEMORY_BYTES_MAX}`);
  }
}

async function open(tier: Tier, features: Features, options: LoadOptions, notes: string[]): Promise<Kernels> {
  const { signal, baseUrl, memoryBytesMax = MEMORY_BYTES_DEFAULT } = options;
  if (signal?.aborted) throw aborted(signal);
  const most = tier === "threads" ? THREADS_DEFAULT_MAX : ALONE_DEFAULT_MAX;
  const workers = options.workers ?? Math.min(features.cores, most);
  const module = compile(moduleUrl(moduleName(tier, features.relaxedSimd), baseUrl), signal);
  module.catch(() => {}); // The lanes that wait for it hear of it.
  const crew: Crew =
    tier === "threads"
      ? new SharedCrew(module, workers, memoryBytesMax, notes)
      : new AloneCrew(tier, module, workers, memoryBytesMax);
  const scheduler = new Scheduler(crew, notes);
  const abort = () => scheduler.close();
  signal?.addEventListener("abort", abort);
  try {
    await scheduler.start();
  } catch (error) {
    scheduler.close();
    throw signal?.aborted ? aborted(signal) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  const { crossOriginIsolated, simd, relaxedSimd, atomics, sharedMemory, cores } = features;
  const threads = atomics && sharedMemory && crossOriginIsolated;
  const environment: Environment = { crossOriginIsolated, simd, relaxedSimd, threads, cores, tier, workers, notes };
  return new WorkerKernels(environment, crew, scheduler);
}
