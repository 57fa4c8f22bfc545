import type { JSX } from "react";
import { contenderIds, kernelIds, type ContenderId } from "../bench/experiment.ts";
import type { Measurement } from "../bench/reading.ts";
import { contenderNames, kernelNames } from "../contenders/labels.ts";
import type { Measurements } from "../lab.tsx";
import { durationText, ratioText } from "../results/format.ts";
import { rowOf } from "../results/rows.ts";

/** The medians of all kernels: the figures behind the chart of ratios. */
export function SummaryTable({ measurements }: { measurements: Measurements }): JSX.Element {
  return (
    <table className="readings summary">
      <caption className="hidden">Median time in the kernel, and how many times as fast as JavaScript</caption>
      <thead>
        <tr>
          <th scope="col">Kernel</th>
          {contenderIds.map((contender) => (
            <th scope="col" key={contender}>
              {contenderNames[contender]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {kernelIds.map((kernel) => (
          <tr key={kernel}>
            <th scope="row">
              <a href={`#/${kernel}`}>{kernelNames[kernel]}</a>
              <small>{subjectOf(measurements[kernel])}</small>
            </th>
            {contenderIds.map((contender) => (
              <td key={contender} data-label={contenderNames[contender]}>
                <Cell measurement={measurements[kernel]} contender={contender} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function subjectOf(measurement: Measurement): string {
  if ("report" in measurement) return measurement.report.subject;
  return measurement.state === "failed" ? `${measurement.note.title}: ${measurement.note.detail}` : "";
}

function Cell({ measurement, contender }: { measurement: Measurement; contender: ContenderId }): JSX.Element {
  if (!("report" in measurement)) return <span className="soft">–</span>;
  const reading = measurement.report.readings[contender];
  if (reading?.state === "absent") return <abbr title={reading.why}>none</abbr>;
  if (reading?.state === "failed") return <abbr title={reading.note.detail}>failed</abbr>;
  const { compute, ratio } = rowOf(measurement.report, contender);
  if (compute === undefined) return <span className="soft">{reading === undefined ? "–" : "…"}</span>;
  return (
    <>
      {durationText(compute.median)}
      {contender !== "javascript" && <em>{ratioText(ratio)}</em>}
    </>
  );
}
