import type { KernelBuffer, Size, Triple } from "@tombolo/web";
import { agreeRelatively, agreeWithinLevels } from "../bench/agreement.ts";
import { Absent, type Bench, type Experiment } from "../bench/experiment.ts";
import { javascriptBench } from "../contenders/javascript.ts";
import { wasmBench } from "../contenders/wasm.ts";
import type { Picture } from "../inputs/picture.ts";
import { count } from "../results/format.ts";

/** What most models trained on ImageNet expect. */
export const imagenet = {
  mean: [0.485, 0.456, 0.406] satisfies Triple,
  std: [0.229, 0.224, 0.225] satisfies Triple,
} as const;

export type ResizeInto = "picture" | "tensor";

const noEdge = "not offered at the edge: a picture is larger on the wire than the work is long";

/** Resizes a picture, or makes of it what a model takes: three planes of normalised floats. */
export function resizeExperiment(picture: Picture, to: Size, into: ResizeInto): Experiment {
  const { width, height } = picture;
  const pixels = `${count(width)} × ${count(height)} to ${count(to.width)} × ${count(to.height)}`;
  return {
    kernel: "resize",
    subject: into === "tensor" ? `${pixels}, normalised to three planes of floats` : `${pixels}, bicubic`,
    rate: { units: width * height, scale: 1e-6, unit: "megapixels/s" },
    // Fixed-point and floating-point bicubic round differently by a level or two; normalising divides
    // that by 255 and by about 0.22, in values that go up to about 2.6.
    agree: into === "tensor" ? agreeRelatively(0.015) : agreeWithinLevels(2),
    async open(contender, signal): Promise<Bench> {
      if (contender === "edge") throw new Absent(noEdge);
      if (contender === "javascript") return javascript(picture, to, into);
      return wasmBench(contender, signal, async (kernels) => {
        const source = kernels.alloc(picture.pixels.byteLength);
        let made: KernelBuffer | undefined;
        return {
          async run(work) {
            made?.free();
            source.pixels().set(picture.pixels);
            const how = { width, height, to, ...work };
            made =
              into === "tensor"
                ? await kernels.preprocess(source, { ...how, ...imagenet })
                : await kernels.resize(source, how);
          },
          outcome() {
            if (made === undefined) throw new Error("nothing was resized yet");
            return into === "tensor"
              ? { form: "floats", values: made.floats().slice() }
              : { form: "bytes", values: made.pixels().slice() };
          },
        };
      });
    },
  };
}

function javascript({ pixels, width, height }: Picture, to: Size, into: ResizeInto): Bench {
  if (into === "picture") {
    return javascriptBench(
      () => ({ kernel: "resize", pixels: pixels.slice(), width, height, to }),
      (values) => ({ form: "bytes", values }),
    );
  }
  return javascriptBench(
    () => ({ kernel: "preprocess", pixels: pixels.slice(), width, height, to, ...imagenet }),
    (values) => ({ form: "floats", values }),
  );
}
