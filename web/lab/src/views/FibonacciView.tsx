import { useEffect, useMemo, useState, type JSX } from "react";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Dial, Sheet, Slider, ViewHead } from "../components/parts.tsx";
import { callsOf, fibonacciExperiment } from "../experiments/fibonacci.ts";
import { useLab, type Job } from "../lab.tsx";
import { emptyCallMs } from "../live/emptyCall.ts";
import { rowOf } from "../results/rows.ts";
import { count, duration } from "../results/format.ts";

/** The doubly recursive Fibonacci: what a call costs. */
export function FibonacciView(): JSX.Element {
  const [n, setN] = useState(32);
  const { measurements } = useLab();
  const job: Job = useMemo(() => ({ kernel: "fibonacci", experiment: () => fibonacciExperiment(n) }), [n]);
  const emptyCall = useEmptyCall();
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
          <Dial label="A call within Wasm SIMD" {...duration(perCall)} />
          <Dial label="An empty call from JavaScript" {...duration(emptyCall)} />
        </dl>
      </Sheet>
      <BenchPanel job={job} />
    </>
  );
}

/** In milliseconds; not a number until it is known, or where no kernels load: the tier's row says why. */
function useEmptyCall(): number {
  const [ms, setMs] = useState(Number.NaN);
  useEffect(() => {
    let shown = true;
    emptyCallMs().then(
      (known) => {
        if (shown) setMs(known);
      },
      () => {},
    );
    return () => {
      shown = false;
    };
  }, []);
  return ms;
}
