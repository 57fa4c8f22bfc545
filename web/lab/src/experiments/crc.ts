import { agreeExactly } from "../bench/agreement.ts";
import type { Experiment } from "../bench/experiment.ts";
import { edgeBench } from "../contenders/edge.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench } from "../contenders/wasm.ts";
import { edgeCrc32 } from "../edge.ts";
import { bytesText } from "../results/format.ts";

/** CRC-32 of bytes in memory. */
export function crcExperiment(bytes: Uint8Array<ArrayBuffer>): Experiment {
  return {
    kernel: "crc",
    subject: bytesText(bytes.length),
    rate: { units: bytes.length, scale: 1e-9, unit: "GB/s" },
    agree: agreeExactly,
    async open(contender, signal) {
      switch (contender) {
        case "javascript":
          return javascriptBench(
            () => ({ kernel: "crc", bytes: bytes.slice() }),
            (result) => ({ form: "text", text: hex(result) }),
          );
        case "edge":
          return edgeBench(signal, async (running) => {
            const { crc32, computeMs } = await edgeCrc32(bytes, running);
            return { outcome: { form: "text", text: crc32 }, computeMs };
          });
        default:
          return wasmBench(contender, signal, async (kernels) => {
            const buffer = kernels.alloc(bytes.length);
            let last = 0;
            return {
              async run(work) {
                buffer.bytes().set(bytes);
                last = await kernels.crc32(buffer, work);
              },
              outcome: () => ({ form: "text", text: hex(last) }),
            };
          });
      }
    },
  };
}

/** Eight digits, as `cksum` tools print it. */
export function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
