import type { Job } from "../lab.tsx";
import { generateRows } from "../inputs/generate.ts";
import { squareMatrices } from "../inputs/matrices.ts";
import { generatedPicture, generatedSizes } from "../inputs/picture.ts";
import { randomBytes } from "../inputs/random.ts";
import { blurExperiment } from "./blur.ts";
import { crcExperiment } from "./crc.ts";
import { fibonacciExperiment } from "./fibonacci.ts";
import { matmulExperiment } from "./matmul.ts";
import { resizeExperiment } from "./resize.ts";
import { sortExperiment } from "./sort.ts";

export const workloads = ["quick", "full"] as const;
/** `full` is what Tombolo's published figures are taken on; `quick` is a tenth of it or less. */
export type Workload = (typeof workloads)[number];

const sizes = {
  quick: { picture: "small", rows: 50_000, mebibytes: 8, matrix: 256, n: 30 },
  full: { picture: "4k", rows: 1_000_000, mebibytes: 64, matrix: 1000, n: 40 },
} as const;

/** All six kernels, each on its standard input of that size. Inputs are made when their turn comes. */
export function standardJobs(workload: Workload): readonly Job[] {
  const { picture, rows, mebibytes, matrix, n } = sizes[workload];
  const drawn = (): ReturnType<typeof generatedPicture> => generatedPicture(generatedSizes[picture]);
  return [
    { kernel: "blur", experiment: () => blurExperiment(drawn(), 3) },
    {
      kernel: "sort",
      experiment: async (signal) => {
        const json = await generateRows(rows, { signal, onProgress: () => {} });
        return sortExperiment({ json, rows, key: "id", descending: false, into: "order" });
      },
    },
    { kernel: "crc", experiment: () => crcExperiment(randomBytes(mebibytes << 20, 5)) },
    { kernel: "matmul", experiment: () => matmulExperiment(squareMatrices(matrix, "f32")) },
    { kernel: "resize", experiment: () => resizeExperiment(drawn(), { width: 640, height: 640 }, "tensor") },
    { kernel: "fibonacci", experiment: () => fibonacciExperiment(n) },
  ];
}
