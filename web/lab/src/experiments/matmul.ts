import type { KernelBuffer } from "@tombolo/web";
import { agreeRelatively } from "../bench/agreement.ts";
import { Absent, type Experiment } from "../bench/experiment.ts";
import { edgeBench } from "../contenders/edge.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench } from "../contenders/wasm.ts";
import { edgeBytes } from "../edge.ts";
import type { Matrices } from "../inputs/matrices.ts";
import { count } from "../results/format.ts";

/** The product of two matrices. Sums in another order, or fused, differ in their last bits. */
export function matmulExperiment({ a, b, m, k, n, precision }: Matrices): Experiment {
  return {
    kernel: "matmul",
    subject: `${count(m)} × ${count(k)} by ${count(k)} × ${count(n)}, ${precision}`,
    rate: { units: 2 * m * k * n, scale: 1e-9, unit: "GFLOP/s" },
    agree: agreeRelatively(precision === "f32" ? 1e-5 : 1e-13),
    async open(contender, signal) {
      switch (contender) {
        case "javascript":
          return javascriptBench(
            () => ({ kernel: "matmul", a: a.slice(), b: b.slice(), m, k, n }),
            (values) => ({ form: "floats", values }),
          );
        case "edge": {
          if (precision === "f64") throw new Absent("the edge multiplies f32 only");
          const both = new Uint8Array(a.byteLength + b.byteLength);
          both.set(new Uint8Array(a.buffer), 0);
          both.set(new Uint8Array(b.buffer), a.byteLength);
          return edgeBench(signal, async (running) => {
            const answer = await edgeBytes("matmul", { m, k, n }, both, running);
            const values = new Float32Array(answer.bytes.buffer);
            return { outcome: { form: "floats", values }, computeMs: answer.computeMs };
          });
        }
        default:
          return wasmBench(contender, signal, async (kernels) => {
            const left = kernels.alloc(a.byteLength);
            const right = kernels.alloc(b.byteLength);
            const view = (buffer: KernelBuffer): Float32Array | Float64Array =>
              precision === "f32" ? buffer.floats() : buffer.doubles();
            let product: KernelBuffer | undefined;
            return {
              async run(work) {
                product?.free();
                view(left).set(a);
                view(right).set(b);
                product = await kernels.matmul(left, right, { m, k, n, precision, ...work });
              },
              outcome() {
                if (product === undefined) throw new Error("nothing was multiplied yet");
                return { form: "floats", values: view(product).slice() };
              },
            };
          });
      }
    },
  };
}
