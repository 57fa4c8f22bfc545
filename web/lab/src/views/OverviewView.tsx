import { useState, type JSX } from "react";
import { kernelIds, type KernelId } from "../bench/experiment.ts";
import type { Measurement, Report } from "../bench/reading.ts";
import { roundChoices } from "../bench/settings.ts";
import { RatioChart } from "../charts/RatioChart.tsx";
import { ExportButtons } from "../components/ExportButtons.tsx";
import { Segmented, Sheet, ViewHead, Working } from "../components/parts.tsx";
import { SummaryTable } from "../components/SummaryTable.tsx";
import { kernelNames } from "../contenders/labels.ts";
import { EnvironmentSheet } from "../environment/EnvironmentSheet.tsx";
import { standardJobs, type Workload } from "../experiments/standard.ts";
import { useLab, type Measurements } from "../lab.tsx";

/** All kernels at once, and where they run. */
export function OverviewView(): JSX.Element {
  const lab = useLab();
  const [workload, setWorkload] = useState<Workload>("quick");
  const reports = reportsOf(lab.measurements);
  const taken = Object.values(reports);
  return (
    <>
      <ViewHead title="How far is JavaScript from the metal?">
        Six kernels, written once in Rust: here beside good JavaScript, in three builds of WebAssembly, and at the edge on
        your own server. Everything is computed and timed in this page, and every result is checked against the others.
      </ViewHead>
      <Sheet title="All kernels" aside={<p className="soft">Times as fast as JavaScript, by the median of the kernel’s time.</p>}>
        <div className="controls">
          <Segmented
            label="Inputs"
            value={workload}
            choices={[
              { value: "quick", label: "Quick", disabled: lab.busy !== undefined },
              { value: "full", label: "Full: 4K, 1,000,000 rows, 64 MiB", disabled: lab.busy !== undefined },
            ]}
            onChange={setWorkload}
          />
          <Segmented
            label="Rounds"
            value={lab.settings.rounds}
            choices={roundChoices.map((value) => ({ value, label: String(value), disabled: lab.busy !== undefined }))}
            onChange={(rounds) => lab.setSettings({ ...lab.settings, rounds })}
          />
        </div>
        {lab.busy === undefined ? (
          <div className="actions">
            <button
              type="button"
              className="button button-main"
              onClick={() => void lab.run(standardJobs(workload))}
            >
              Run all
            </button>
            {taken.length > 0 && <ExportButtons reports={taken} />}
          </div>
        ) : (
          <RunningAll busy={lab.busy} measurement={lab.measurements[lab.busy]} onStop={lab.stop} />
        )}
        <RatioChart reports={reports} />
        {taken.length > 0 && <SummaryTable measurements={lab.measurements} />}
      </Sheet>
      <EnvironmentSheet />
    </>
  );
}

function RunningAll(props: { busy: KernelId; measurement: Measurement; onStop: () => void }): JSX.Element {
  const { busy, measurement, onStop } = props;
  const doing = measurement.state === "running" ? measurement.doing : "Making the input";
  const done = measurement.state === "running" ? measurement.done : 0;
  const all = (kernelIds.indexOf(busy) + done) / kernelIds.length;
  return <Working doing={`${kernelNames[busy]}: ${doing}`} done={all} onStop={onStop} />;
}

function reportsOf(measurements: Measurements): Partial<Record<KernelId, Report>> {
  const known = kernelIds.flatMap((kernel) => {
    const measurement = measurements[kernel];
    return "report" in measurement ? [[kernel, measurement.report] as const] : [];
  });
  return Object.fromEntries(known);
}
