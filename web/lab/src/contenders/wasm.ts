import { KernelError, loadKernels, type Kernels, type Tier, type Work } from "@tombolo/web";
import type { Outcome } from "../bench/agreement.ts";
import { Absent, type Bench } from "../bench/experiment.ts";

/** Work on kernels that are loaded, with its input and memory in place. */
export interface WasmWork {
  /** From input on the page to result on the page. */
  run(work: Work): Promise<void>;
  outcome(): Outcome | Promise<Outcome>;
}

/** One tier on one input, on kernels of its own that are closed afterwards: memory is given back. */
export async function wasmBench(
  tier: Tier,
  signal: AbortSignal,
  prepare: (kernels: Kernels) => Promise<WasmWork>,
): Promise<Bench> {
  const kernels = await loadTier(tier, signal);
  try {
    const work = await prepare(kernels);
    return {
      async run(options) {
        let computeMs = Number.NaN;
        const onTiming = (timing: { computeMs: number }): void => {
          computeMs = timing.computeMs;
        };
        const started = performance.now();
        await work.run({ ...options, onTiming });
        return { computeMs, wallMs: performance.now() - started };
      },
      outcome: async () => work.outcome(),
      close: () => kernels.close(),
    };
  } catch (error) {
    await kernels.close();
    throw error;
  }
}

/** Loads exactly `tier`. Throws {@link Absent} with the reason where this page or browser has it not. */
export async function loadTier(tier: Tier, signal: AbortSignal): Promise<Kernels> {
  const kernels = await load(tier, signal);
  if (kernels.environment.tier === tier) return kernels;
  const { notes } = kernels.environment;
  await kernels.close();
  throw new Absent(notes.join(" ") || `this browser runs the ${kernels.environment.tier} tier instead`);
}

async function load(tier: Tier, signal: AbortSignal): Promise<Kernels> {
  try {
    return await loadKernels({ tier, signal });
  } catch (error) {
    if (error instanceof KernelError && error.code === "unsupported") throw new Absent(error.message);
    throw error;
  }
}
