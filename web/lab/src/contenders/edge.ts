import type { Outcome } from "../bench/agreement.ts";
import type { Bench } from "../bench/experiment.ts";
import { requireEdge } from "../edge.ts";

/** Our server on one input. `ask` posts and takes the answer; the network is in the wall time. */
export async function edgeBench(
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<{ readonly outcome: Outcome; readonly computeMs: number }>,
): Promise<Bench> {
  await requireEdge(signal);
  let last: Outcome | undefined;
  return {
    async run(options) {
      const started = performance.now();
      const { outcome, computeMs } = await ask(options.signal);
      const wallMs = performance.now() - started;
      last = outcome;
      return { computeMs, wallMs };
    },
    async outcome() {
      if (last === undefined) throw new Error("the edge has not been asked yet");
      return last;
    },
    async close() {
      last = undefined;
    },
  };
}
