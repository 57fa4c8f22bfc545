import { useMemo, useState, type JSX } from "react";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Dial, Sheet, Slider, ViewHead } from "../components/parts.tsx";
import { callsOf, fibonacciExperiment } from "../experiments/fibonacci.ts";
import { useLab, type Job } from "../lab.tsx";
import { rowOf } from "../results/rows.ts";
import { count, duration } from "../results/format.ts";

/** The doubly recursive Fibonacci: what a call costs. */
export function FibonacciView(): JSX.Element {
  const [n, setN] = useState(32);
  const { measurements } = useLab();
  const job: Job = useMemo(() => ({ kernel: "fibonacci", experiment: () => fibonacciExperiment(n) }), [n]);
  const measured = measurements.fibonacci;
  const report = "report" in measured ? measured.report : undefined;
  const simd = report === undefined ? undefined : rowOf(report, "simd").compute;
  const perCall = simd === undefined || report === undefined ? Number.NaN : simd.median / report.rate.units;
  return (
    <>
      <ViewHead title="Fibonacci">
        Doubly recursive, and so nothing but calls. No memory, no SIMD, no threads: what differs is the compilers’ work.
      </ViewHead>
      <Sheet title="Input">
        <Slider label="n" value={n} min={20} max={45} step={1} onChange={setN} />
        <dl className="dials">
          <Dial label="Calls" value={count(callsOf(n))} />
          <Dial label="A call, in Wasm SIMD" {...duration(perCall)} />
        </dl>
      </Sheet>
      <BenchPanel job={job} />
    </>
  );
}
