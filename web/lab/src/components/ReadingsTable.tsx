import type { JSX } from "react";
import type { Agreement } from "../bench/agreement.ts";
import type { ContenderId } from "../bench/experiment.ts";
import { contendersOf, samplesOf, type Reading, type Report } from "../bench/reading.ts";
import { rowOf, type Row } from "../results/rows.ts";
import { contenderNames } from "../contenders/labels.ts";
import { durationText, ratioText, shareText } from "../results/format.ts";

/** All figures of a report. On a narrow page each row becomes a block of named figures. */
export function ReadingsTable({ report }: { report: Report }): JSX.Element {
  return (
    <table className="readings">
      <caption>
        {report.subject}. Median of {report.rounds} alternating runs, after warm-up.
      </caption>
      <thead>
        <tr>
          <th scope="col">Implementation</th>
          <th scope="col">Kernel</th>
          <th scope="col">Spread</th>
          <th scope="col">With copies</th>
          <th scope="col">Spread</th>
          <th scope="col">{report.rate.unit}</th>
          <th scope="col">To JavaScript</th>
          <th scope="col">Result</th>
        </tr>
      </thead>
      <tbody>
        {contendersOf(report).map((contender) => (
          <TableRow key={contender} contender={contender} report={report} reading={report.readings[contender]} />
        ))}
      </tbody>
    </table>
  );
}

function TableRow(props: { contender: ContenderId; report: Report; reading: Reading | undefined }): JSX.Element {
  const { contender, report, reading } = props;
  const row = samplesOf(reading).length > 0 ? rowOf(report, contender) : undefined;
  return (
    <tr data-who={contender}>
      <th scope="row">
        <span className="swatch" />
        {contenderNames[contender]}
      </th>
      {row === undefined ? <Words reading={reading} /> : <Figures row={row} report={report} reading={reading} />}
    </tr>
  );
}

function Figures({ row, report, reading }: { row: Row; report: Report; reading: Reading | undefined }): JSX.Element {
  return (
    <>
      <td data-label="Kernel">{durationText(row.compute?.median ?? Number.NaN)}</td>
      <td data-label="Spread">{row.compute === undefined ? "–" : shareText(row.compute.spread)}</td>
      <td data-label="With copies">{durationText(row.wall?.median ?? Number.NaN)}</td>
      <td data-label="Spread">{row.wall === undefined ? "–" : shareText(row.wall.spread)}</td>
      <td data-label={report.rate.unit}>{row.rate}</td>
      <td data-label="To JavaScript">{ratioText(row.ratio)}</td>
      <td data-label="Result">
        {reading?.state === "measured" ? <Verdict agreement={reading.agreement} /> : <span className="soft">…</span>}
      </td>
    </>
  );
}

function Words({ reading }: { reading: Reading | undefined }): JSX.Element {
  switch (reading?.state) {
    case "absent":
      return (
        <td className="words" colSpan={7}>
          {reading.why}
        </td>
      );
    case "failed":
      return (
        <td className="words failed" colSpan={7}>
          {reading.note.title}: {reading.note.detail}
        </td>
      );
    case "opening":
      return (
        <td className="words" colSpan={7}>
          Loading…
        </td>
      );
    default:
      return (
        <td className="words" colSpan={7}>
          {reading?.state === "measuring" ? "Warming up…" : "Waiting"}
        </td>
      );
  }
}

function Verdict({ agreement }: { agreement: Agreement }): JSX.Element {
  const words = {
    reference: "reference",
    equal: "equal",
    close: "difference" in agreement ? agreement.difference : "",
    different: "difference" in agreement ? `differs: ${agreement.difference}` : "",
  };
  return (
    <span className="verdict" data-verdict={agreement.verdict}>
      {words[agreement.verdict]}
    </span>
  );
}
