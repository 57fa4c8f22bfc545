import type { JSX } from "react";
import type { Mark } from "./scale.ts";

/** The graduated edge of a chart, with its labels. Decoration: what it says is in the chart's description. */
export function Graduations({ marks }: { marks: readonly Mark[] }): JSX.Element {
  return (
    <div className="rule-scale" aria-hidden="true">
      {marks.map(({ at, label, minor }) => (
        <span className="rule-mark" data-long={label !== undefined} key={at} style={{ insetInlineStart: `${at}%` }}>
          {label !== undefined && <i data-minor={minor === true}>{label}</i>}
        </span>
      ))}
    </div>
  );
}
