import type { Outcome } from "../bench/agreement.ts";
import type { Bench } from "../bench/experiment.ts";
import { Rival } from "../rival/client.ts";
import type { RivalJob, RivalResults } from "../rival/job.ts";

/**
 * The JavaScript on one input. `job` makes the message anew for each run, with a copy of what the
 * worker is to keep: that copy is the way in, and counts.
 */
export function javascriptBench<J extends RivalJob>(
  job: () => J,
  outcomeOf: (result: RivalResults[J["kernel"]]) => Outcome,
): Bench {
  const rival = new Rival();
  let last: RivalResults[J["kernel"]] | undefined;
  return {
    async run(options) {
      last = undefined;
      const started = performance.now();
      const { result, computeMs } = await rival.run(job(), options);
      const wallMs = performance.now() - started;
      last = result;
      return { computeMs, wallMs };
    },
    async outcome() {
      if (last === undefined) throw new Error("the JavaScript has not run yet");
      return outcomeOf(last);
    },
    async close() {
      rival.close();
    },
  };
}
