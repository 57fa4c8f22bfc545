import type { JSX } from "react";
import type { ContenderId, Sample } from "../bench/experiment.ts";
import { contendersOf, samplesOf, type Reading, type Report } from "../bench/reading.ts";
import { speedup, summarise, type Summary } from "../bench/statistics.ts";
import { contenderNames, contenderWhere } from "../contenders/labels.ts";
import { duration, durationText, ratioText } from "../results/format.ts";
import { Graduations } from "./Graduations.tsx";
import { scaleFor, type Scale, type ScaleKind } from "./scale.ts";

/** Which of a sample's two times is shown. */
export type Metric = "computeMs" | "wallMs";

interface RuleChartProps {
  readonly report: Report;
  readonly metric: Metric;
  readonly scale: ScaleKind;
}

/**
 * Every run as a stroke on a common rule, its quartiles as a band, its median as a needle.
 * The drawing is one image to a screen reader, described in a sentence; the table has the figures.
 */
export function RuleChart({ report, metric, scale: kind }: RuleChartProps): JSX.Element {
  const contenders = contendersOf(report);
  const timings = (contender: ContenderId): number[] => times(samplesOf(report.readings[contender]), metric);
  const scale = scaleFor(kind, contenders.flatMap(timings));
  const reference = summarise(timings("javascript"))?.median;
  return (
    <figure className="rule">
      <div role="img" aria-label={describe(report, timings)}>
        {contenders.map((contender) => (
          <div className="rule-row" data-who={contender} key={contender} aria-hidden="true">
            <div className="rule-name">
              <span className="swatch" />
              <div>
                <strong>{contenderNames[contender]}</strong>
                <small>{contenderWhere[contender]}</small>
              </div>
            </div>
            <div className="rule-place">
              <Strip reading={report.readings[contender]} scale={scale} timings={timings(contender)} />
            </div>
            <Value summary={summarise(timings(contender))} reference={reference} contender={contender} />
          </div>
        ))}
        <div className="rule-row rule-axis">
          <Graduations marks={scale?.marks ?? []} />
        </div>
      </div>
    </figure>
  );
}

function Strip(props: { reading: Reading | undefined; scale: Scale | undefined; timings: number[] }): JSX.Element {
  const { reading, scale, timings } = props;
  const summary = summarise(timings);
  if (reading?.state === "absent") return <p className="rule-word">{reading.why}</p>;
  if (reading?.state === "failed") return <p className="rule-word rule-failed">{reading.note.title}</p>;
  return (
    <svg className="rule-strip" data-busy={reading?.state === "measuring" || reading?.state === "opening"}>
      {scale?.marks.map(({ at, label }) =>
        label === undefined ? null : <line className="rule-grid" key={at} {...upright(at, 0, 100)} />,
      )}
      <line className="rule-base" x1="0" x2="100%" y1="50%" y2="50%" />
      {scale !== undefined && summary !== undefined && (
        <>
          <Band scale={scale} summary={summary} />
          {timings.map((ms, run) => (
            <line className="rule-run" key={run} {...upright(scale.position(ms), 28, 72)} />
          ))}
          <line className="rule-median" {...upright(scale.position(summary.median), 12, 88)} />
        </>
      )}
    </svg>
  );
}

/** The quartiles; on a linear scale also the length from zero, which is what such a scale is for. */
function Band({ scale, summary }: { scale: Scale; summary: Summary }): JSX.Element {
  const from = scale.position(summary.lowerQuartile);
  const to = scale.position(summary.upperQuartile);
  const median = scale.position(summary.median);
  return (
    <>
      {scale.kind === "linear" && <rect className="rule-length" x="0" y="34%" height="32%" width={`${median}%`} />}
      <rect className="rule-band" x={`${from}%`} y="22%" height="56%" width={`${Math.max(0.2, to - from)}%`} />
    </>
  );
}

function Value(props: { summary: Summary | undefined; reference: number | undefined; contender: ContenderId }): JSX.Element {
  if (props.summary === undefined) return <div className="rule-value soft">–</div>;
  const { value, unit } = duration(props.summary.median);
  const ratio = props.reference === undefined ? undefined : speedup(props.reference, props.summary.median);
  return (
    <div className="rule-value">
      <span>
        {value} <small>{unit}</small>
      </span>
      <em>{props.contender === "javascript" ? "" : ratioText(ratio)}</em>
    </div>
  );
}

function upright(at: number, from: number, to: number): { x1: string; x2: string; y1: string; y2: string } {
  return { x1: `${at}%`, x2: `${at}%`, y1: `${from}%`, y2: `${to}%` };
}

function times(samples: readonly Sample[], metric: Metric): number[] {
  return samples.map((sample) => sample[metric]).filter(Number.isFinite);
}

function describe(report: Report, timings: (contender: ContenderId) => number[]): string {
  const parts = contendersOf(report).map((contender) => {
    const reading = report.readings[contender];
    if (reading?.state === "absent") return `${contenderNames[contender]}: ${reading.why}`;
    if (reading?.state === "failed") return `${contenderNames[contender]}: ${reading.note.title}`;
    const summary = summarise(timings(contender));
    if (summary === undefined) return `${contenderNames[contender]}: no runs yet`;
    return `${contenderNames[contender]}: median ${durationText(summary.median)} of ${summary.runs} runs`;
  });
  return `Chart of run times. ${parts.join("; ")}.`;
}
