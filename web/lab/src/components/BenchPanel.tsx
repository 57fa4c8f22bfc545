import type { JSX, ReactNode } from "react";
import { contenderIds } from "../bench/experiment.ts";
import type { Measurement, Report } from "../bench/reading.ts";
import { roundChoices, toggled } from "../bench/settings.ts";
import { RuleChart } from "../charts/RuleChart.tsx";
import { contenderNames } from "../contenders/labels.ts";
import { useLab, type Job } from "../lab.tsx";
import { ExportButtons } from "./ExportButtons.tsx";
import { NoteBox, Segmented, Sheet, Working } from "./parts.tsx";
import { ReadingsTable } from "./ReadingsTable.tsx";

/** Measures one kernel on the view's input and shows what came of it. */
export function BenchPanel(props: {
  readonly job: Job;
  /** Why it cannot start yet. */
  readonly blocked?: string;
  /** What only this kernel's measurement can be told. */
  readonly children?: ReactNode;
}): JSX.Element {
  const { job, blocked, children } = props;
  const lab = useLab();
  const measurement = lab.measurements[job.kernel];
  const mayStart = lab.busy === undefined && blocked === undefined && lab.settings.contenders.length > 0;
  return (
    <Sheet title="Measure" aside={<p className="soft">{blocked ?? "Every implementation, in turn, on the input above."}</p>}>
      {children !== undefined && <div className="controls">{children}</div>}
      <MeasureSettings />
      {measurement.state === "running" ? (
        <Working doing={measurement.doing} done={measurement.done} onStop={lab.stop} />
      ) : (
        <div className="actions">
          <button
            type="button"
            className="button button-main"
            disabled={!mayStart}
            onClick={() => void lab.run([job])}
          >
            {measurement.state === "idle" ? "Measure" : "Measure again"}
          </button>
          {lab.busy !== undefined && <span className="soft">Another measurement is running.</span>}
          {"report" in measurement && <ExportButtons reports={[measurement.report]} />}
        </div>
      )}
      <Shown measurement={measurement} />
    </Sheet>
  );
}

function Shown({ measurement }: { measurement: Measurement }): JSX.Element {
  switch (measurement.state) {
    case "idle":
      return <EmptyRule />;
    case "failed":
      return <NoteBox note={measurement.note} kind="error" />;
    case "aborted":
      return (
        <>
          <NoteBox kind="hint" note={{ title: "Stopped", detail: "What was measured until then is below." }} />
          <Readings report={measurement.report} />
        </>
      );
    case "running":
    case "done":
      return <Readings report={measurement.report} />;
  }
}

export function Readings({ report }: { report: Report }): JSX.Element {
  const { settings, setSettings } = useLab();
  return (
    <>
      <div className="controls">
        <Segmented
          label="Time"
          value={settings.metric}
          choices={[
            { value: "computeMs", label: "Kernel" },
            { value: "wallMs", label: "With copies" },
          ]}
          onChange={(metric) => setSettings({ ...settings, metric })}
        />
        <Segmented
          label="Scale"
          value={settings.scale}
          choices={[
            { value: "log", label: "Logarithmic" },
            { value: "linear", label: "From zero" },
          ]}
          onChange={(scale) => setSettings({ ...settings, scale })}
        />
      </div>
      <RuleChart report={report} metric={settings.metric} scale={settings.scale} />
      <ReadingsTable report={report} />
      <Method report={report} />
    </>
  );
}

function Method({ report }: { report: Report }): JSX.Element {
  return (
    <p className="soft method">
      Runs alternate: each round runs everyone once, and each round begins with another one. Before
      that each is warmed up, for {report.warmUp.runsMin} runs and {report.warmUp.msMin} ms at least; the last of those
      runs is compared with the first implementation’s result. A stroke is a
      run, the needle the median, the band the middle half; spread is the width of that half, as a share of the median.{" "}
      <em>Kernel</em> is time in the kernel itself. <em>With copies</em> is from input on the page to result on the page:
      copies, messages between threads and, for the edge, the network.
    </p>
  );
}

function MeasureSettings(): JSX.Element {
  const { settings, setSettings, busy } = useLab();
  return (
    <div className="controls">
      <fieldset className="field" disabled={busy !== undefined}>
        <legend className="field-label">Implementations</legend>
        <div className="chips">
          {contenderIds.map((contender) => (
            <label key={contender} data-who={contender}>
              <input
                type="checkbox"
                checked={settings.contenders.includes(contender)}
                onChange={() => setSettings(toggled(settings, contender))}
              />
              <span className="swatch" />
              {contenderNames[contender]}
            </label>
          ))}
        </div>
      </fieldset>
      <Segmented
        label="Rounds"
        value={settings.rounds}
        choices={roundChoices.map((value) => ({ value, label: String(value), disabled: busy !== undefined }))}
        onChange={(rounds) => setSettings({ ...settings, rounds })}
      />
    </div>
  );
}

function EmptyRule(): JSX.Element {
  return (
    <div className="empty">
      <svg className="empty-rule" aria-hidden="true">
        {Array.from({ length: 51 }, (_, mark) => (
          <line key={mark} x1={`${mark * 2}%`} x2={`${mark * 2}%`} y1="0" y2={mark % 5 === 0 ? "100%" : "50%"} />
        ))}
      </svg>
      <p>No readings yet.</p>
    </div>
  );
}
