import { agreeExactly } from "../bench/agreement.ts";
import type { Experiment } from "../bench/experiment.ts";
import { edgeBench } from "../contenders/edge.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench } from "../contenders/wasm.ts";
import { edgeFibonacci } from "../edge.ts";

/** The doubly recursive Fibonacci: nothing but calls. */
export function fibonacciExperiment(n: number): Experiment {
  return {
    kernel: "fibonacci",
    subject: `fibonacci(${n})`,
    rate: { units: callsOf(n), scale: 1e-6, unit: "million calls/s" },
    agree: agreeExactly,
    async open(contender, signal) {
      switch (contender) {
        case "javascript":
          return javascriptBench(
            () => ({ kernel: "fibonacci", n }),
            (result) => ({ form: "text", text: String(result) }),
          );
        case "edge":
          return edgeBench(signal, async (running) => {
            const { result, computeMs } = await edgeFibonacci(n, running);
            return { outcome: { form: "text", text: result }, computeMs };
          });
        default:
          return wasmBench(contender, signal, async (kernels) => {
            let last = 0n;
            return {
              run: async (work) => {
                last = await kernels.fibonacci(n, work);
              },
              outcome: () => ({ form: "text", text: String(last) }),
            };
          });
      }
    },
  };
}

/** How many calls it takes: 2·F(n+1) − 1. */
export function callsOf(n: number): number {
  let [one, two] = [0, 1];
  for (let step = 0; step < n + 1; step += 1) [one, two] = [two, one + two];
  return 2 * one - 1;
}
