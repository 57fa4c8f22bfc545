import type { KernelBuffer, SortedRows } from "@tombolo/web";
import { agreeExactly, type Agreement, type Outcome } from "../bench/agreement.ts";
import { Absent, type Experiment } from "../bench/experiment.ts";
import { edgeBench } from "../contenders/edge.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench, type WasmWork } from "../contenders/wasm.ts";
import { edgeBytes } from "../edge.ts";
import type { Kernels } from "@tombolo/web";
import { bytesText, count } from "../results/format.ts";

/** The order of the rows, of which a list shows a few; or the whole text in order. */
export type SortInto = "order" | "bytes";

export interface SortInput {
  readonly json: Uint8Array<ArrayBuffer>;
  /** If known before parsing. */
  readonly rows: number | undefined;
  readonly key: string;
  readonly descending: boolean;
  readonly into: SortInto;
}

const edgeSendsText = "takes part in sorted text only: it answers with the rows, not with their order";

/** Sorts the rows of a JSON array by a key: from bytes to an order, or to bytes. */
export function sortExperiment(input: SortInput): Experiment {
  const { json, rows, key, descending, into } = input;
  const size = rows === undefined ? bytesText(json.length) : `${count(rows)} rows, ${bytesText(json.length)}`;
  return {
    kernel: "sort",
    subject: `${size}, by ${key}, bytes to ${into === "order" ? "order" : "sorted text"}`,
    rate: { units: json.length, scale: 1e-6, unit: "MB/s" },
    agree: into === "order" ? agreeExactly : agreeAsJson,
    async open(contender, signal) {
      switch (contender) {
        case "javascript":
          return javascriptBench(
            () => ({ kernel: "sort", json: json.slice(), key, descending, into }),
            (values): Outcome =>
              values instanceof Uint32Array ? { form: "ranks", values } : { form: "bytes", values },
          );
        case "edge":
          if (into === "order") throw new Absent(edgeSendsText);
          return edgeBench(signal, async (running) => {
            const answer = await edgeBytes("sort", { key, descending }, json, running);
            return { outcome: { form: "bytes", values: answer.bytes }, computeMs: answer.computeMs };
          });
        default:
          return wasmBench(contender, signal, (kernels) => wasmSort(kernels, input));
      }
    },
  };
}

async function wasmSort(kernels: Kernels, input: SortInput): Promise<WasmWork> {
  const { json, key, descending, into } = input;
  const buffer = kernels.alloc(json.length);
  let order: SortedRows | undefined;
  let text: KernelBuffer | undefined;
  return {
    async run(work) {
      text?.free();
      text = undefined;
      order?.free();
      order = undefined;
      buffer.bytes().set(json);
      const spent: number[] = [];
      const { onTiming, ...rest } = work;
      const step = { ...rest, onTiming: (timing: { computeMs: number }) => void spent.push(timing.computeMs) };
      order = await kernels.sortJson(buffer, { key, descending, ...step });
      if (into === "bytes") text = await order.toBytes(step);
      onTiming?.({ computeMs: spent.reduce((one, two) => one + two, 0), copyMs: 0 });
    },
    outcome() {
      if (text !== undefined) return { form: "bytes", values: text.bytes().slice() };
      if (order !== undefined) return { form: "ranks", values: order.permutation().slice() };
      throw new Error("nothing was sorted yet");
    },
  };
}

/**
 * The same rows in the same order. The kernels copy a row's text as it stands, JavaScript writes it
 * anew, so white space and escapes may differ: then both are parsed and written once more.
 */
export function agreeAsJson(reference: Outcome, other: Outcome): Agreement {
  const bits = agreeExactly(reference, other);
  if (bits.verdict === "equal" || reference.form !== "bytes" || other.form !== "bytes") return bits;
  const [one, two] = [canonical(reference.values), canonical(other.values)];
  if (one === two) return { verdict: "close", difference: "equal but for white space" };
  return { verdict: "different", difference: "other rows, or another order" };
}

function canonical(bytes: Uint8Array | Uint8ClampedArray): string {
  return JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)));
}
