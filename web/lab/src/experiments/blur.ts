import { agreeWithinLevels } from "../bench/agreement.ts";
import type { Experiment } from "../bench/experiment.ts";
import { edgeBench } from "../contenders/edge.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench } from "../contenders/wasm.ts";
import { edgeBytes } from "../edge.ts";
import type { Picture } from "../inputs/picture.ts";
import { count } from "../results/format.ts";

/** Blurs a picture in place. Two roundings of premultiplied colour may lie 2/255 apart. */
export function blurExperiment(picture: Picture, sigma: number): Experiment {
  const { width, height, pixels } = picture;
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return {
    kernel: "blur",
    subject: `${count(width)} × ${count(height)} pixels, sigma ${sigma}`,
    rate: { units: width * height, scale: 1e-6, unit: "megapixels/s" },
    agree: agreeWithinLevels(2),
    async open(contender, signal) {
      switch (contender) {
        case "javascript":
          return javascriptBench(
            () => ({ kernel: "blur", pixels: pixels.slice(), width, height, sigma }),
            (values) => ({ form: "bytes", values }),
          );
        case "edge":
          return edgeBench(signal, async (running) => {
            const answer = await edgeBytes("blur", { width, height, sigma }, bytes, running);
            return { outcome: { form: "bytes", values: answer.bytes }, computeMs: answer.computeMs };
          });
        default:
          return wasmBench(contender, signal, async (kernels) => {
            const buffer = kernels.alloc(pixels.byteLength);
            return {
              async run(work) {
                buffer.pixels().set(pixels);
                await kernels.blur(buffer, { width, height, sigma, ...work });
              },
              outcome: () => ({ form: "bytes", values: buffer.pixels().slice() }),
            };
          });
      }
    },
  };
}
