import type { JSX } from "react";
import { contenderIds, kernelIds, type ContenderId, type KernelId } from "../bench/experiment.ts";
import type { Report } from "../bench/reading.ts";
import { contenderNames, kernelNames } from "../contenders/labels.ts";
import { ratioText } from "../results/format.ts";
import { rowOf } from "../results/rows.ts";
import { Graduations } from "./Graduations.tsx";
import { ratioScaleFor } from "./ratioScale.ts";

type Reports = Readonly<Partial<Record<KernelId, Report>>>;
const rivals = contenderIds.filter((contender) => contender !== "javascript");

/** Every kernel on one rule: how many times as fast as JavaScript, which is at ×1, each contender is. */
export function RatioChart({ reports }: { reports: Reports }): JSX.Element {
  const ratio = (kernel: KernelId, contender: ContenderId): number | undefined => {
    const report = reports[kernel];
    return report === undefined ? undefined : rowOf(report, contender).ratio;
  };
  const all = kernelIds.flatMap((kernel) => rivals.map((contender) => ratio(kernel, contender) ?? Number.NaN));
  const scale = ratioScaleFor(all);
  return (
    <figure className="ratio">
      <div role="img" aria-label={describe(ratio)}>
        {kernelIds.map((kernel) => (
          <div className="ratio-row" key={kernel} aria-hidden="true">
            <a href={`#/${kernel}`} tabIndex={-1}>
              {kernelNames[kernel]}
            </a>
            <svg className="ratio-strip">
              {scale.marks.map(({ at, label }) =>
                label === undefined ? null : (
                  <line className="rule-grid" key={at} x1={`${at}%`} x2={`${at}%`} y1="0" y2="100%" />
                ),
              )}
              <line className="rule-base" x1="0" x2="100%" y1="50%" y2="50%" />
              <line className="ratio-one" x1={`${scale.position(1)}%`} x2={`${scale.position(1)}%`} y1="0" y2="100%" />
              {rivals.map((contender) => {
                const value = ratio(kernel, contender);
                if (value === undefined) return null;
                const at = `${scale.position(value)}%`;
                return <circle className="ratio-dot" data-who={contender} key={contender} cx={at} cy="50%" />;
              })}
            </svg>
          </div>
        ))}
        <div className="ratio-row" aria-hidden="true">
          <span />
          <Graduations marks={scale.marks} />
        </div>
      </div>
      <figcaption className="legend">
        {contenderIds.map((contender) => (
          <span key={contender} data-who={contender}>
            <span className="swatch" />
            {contenderNames[contender]}
            {contender === "javascript" && " at ×1"}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function describe(ratio: (kernel: KernelId, contender: ContenderId) => number | undefined): string {
  const parts = kernelIds.flatMap((kernel) => {
    const known = rivals.filter((contender) => ratio(kernel, contender) !== undefined);
    const said = known.map((contender) => `${contenderNames[contender]} ${ratioText(ratio(kernel, contender))}`);
    return said.length === 0 ? [] : [`${kernelNames[kernel]}: ${said.join(", ")}`];
  });
  if (parts.length === 0) return "Chart of speed against JavaScript. No readings yet.";
  return `Chart of speed as a multiple of JavaScript's. ${parts.join("; ")}.`;
}
