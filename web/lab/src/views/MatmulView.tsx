import { useEffect, useMemo, useState, type JSX } from "react";
import type { Kernels } from "@tombolo/web";
import { noteOf, type Note } from "../bench/note.ts";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Dial, NoteBox, Segmented, Sheet, ViewHead } from "../components/parts.tsx";
import { Heatmap } from "../charts/Heatmap.tsx";
import { matmulExperiment } from "../experiments/matmul.ts";
import { squareMatrices, type Matrices, type Precision } from "../inputs/matrices.ts";
import type { Job } from "../lab.tsx";
import { useTier } from "../live/useTier.ts";
import { duration, significant } from "../results/format.ts";

const sizes = [128, 256, 512, 1000, 1500] as const;

type Product =
  | { readonly state: "computing" }
  | { readonly state: "done"; readonly values: ArrayLike<number>; readonly computeMs: number }
  | { readonly state: "failed"; readonly note: Note };

/** The product of two square matrices. */
export function MatmulView(): JSX.Element {
  const [size, setSize] = useState<number>(512);
  const [precision, setPrecision] = useState<Precision>("f32");
  const matrices = useMemo(() => squareMatrices(size, precision), [size, precision]);
  const product = useProduct(matrices);
  const job: Job = useMemo(() => ({ kernel: "matmul", experiment: () => matmulExperiment(matrices) }), [matrices]);
  const computeMs = product.state === "done" ? product.computeMs : Number.NaN;
  return (
    <>
      <ViewHead title="Matrix product">
        Two square matrices of numbers from −1 to 1, multiplied in blocks that stay in the caches and tiles that stay in
        registers.
      </ViewHead>
      <Sheet title="Matrices">
        <div className="controls">
          <Segmented
            label="Rows and columns"
            value={size}
            choices={sizes.map((value) => ({ value, label: String(value) }))}
            onChange={setSize}
          />
          <Segmented
            label="Precision"
            value={precision}
            choices={[
              { value: "f32", label: "f32" },
              { value: "f64", label: "f64" },
            ]}
            onChange={setPrecision}
          />
        </div>
        <div className="equation">
          <Heatmap label="A" values={matrices.a} size={size} most={1} />
          <span aria-hidden="true">×</span>
          <Heatmap label="B" values={matrices.b} size={size} most={1} />
          <span aria-hidden="true">=</span>
          {/* A sum of `size` products of such numbers rarely lies further out than this. */}
          <Heatmap
            label="C"
            values={product.state === "done" ? product.values : undefined}
            size={size}
            most={Math.sqrt(size)}
          />
        </div>
        {product.state === "failed" && <NoteBox kind="error" note={product.note} />}
        <dl className="dials">
          <Dial label="First run, best tier here" {...duration(computeMs)} />
          <Dial label="Rate" value={significant((2 * size ** 3) / 1e6 / computeMs)} unit="GFLOP/s" />
        </dl>
      </Sheet>
      <BenchPanel job={job} />
    </>
  );
}

/** The product on the best tier here, once: to be looked at, not to be measured. */
function useProduct(matrices: Matrices): Product {
  const loaded = useTier("auto");
  const [product, setProduct] = useState<Product>({ state: "computing" });
  useEffect(() => {
    if (loaded.state !== "ready") return undefined;
    const controller = new AbortController();
    setProduct({ state: "computing" });
    multiply(loaded.kernels, matrices, controller.signal).then(
      (done) => {
        if (!controller.signal.aborted) setProduct({ state: "done", ...done });
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setProduct({ state: "failed", note: noteOf(error) });
      },
    );
    return () => controller.abort();
  }, [loaded, matrices]);
  return loaded.state === "failed" ? loaded : product;
}

async function multiply(
  kernels: Kernels,
  { a, b, m, k, n, precision }: Matrices,
  signal: AbortSignal,
): Promise<{ values: ArrayLike<number>; computeMs: number }> {
  using left = await kernels.from(a, { signal });
  using right = await kernels.from(b, { signal });
  let computeMs = Number.NaN;
  const onTiming = (timing: { computeMs: number }): void => {
    computeMs = timing.computeMs;
  };
  using made = await kernels.matmul(left, right, { m, k, n, precision, signal, onTiming });
  return { values: precision === "f32" ? made.floats().slice() : made.doubles().slice(), computeMs };
}
