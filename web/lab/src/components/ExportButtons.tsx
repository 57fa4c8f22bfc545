import { useState, type JSX } from "react";
import type { Report } from "../bench/reading.ts";
import { useLab } from "../lab.tsx";
import { toJson, toMarkdown } from "../results/export.ts";
import { saveText } from "../results/save.ts";

type Copy = { readonly state: "idle" } | { readonly state: "copied" } | { readonly state: "refused" };

/** Takes the results out: as JSON with every run, as a Markdown table, or onto the clipboard. */
export function ExportButtons({ reports }: { reports: readonly Report[] }): JSX.Element {
  const { probe } = useLab();
  const [copy, setCopy] = useState<Copy>({ state: "idle" });
  const copyTable = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(toMarkdown(reports, probe));
      setCopy({ state: "copied" });
    } catch {
      setCopy({ state: "refused" });
    }
  };
  return (
    <>
      <button type="button" className="button" onClick={() => void copyTable()}>
        Copy table
      </button>
      <button
        type="button"
        className="button"
        onClick={() => saveText("tombolo-lab.md", "text/markdown", toMarkdown(reports, probe))}
      >
        Save Markdown
      </button>
      <button
        type="button"
        className="button"
        onClick={() => saveText("tombolo-lab.json", "application/json", toJson(reports, probe))}
      >
        Save JSON
      </button>
      <span className="soft" role="status">
        {copy.state === "copied" && "Copied."}
        {copy.state === "refused" && "The browser refused; save it instead."}
      </span>
    </>
  );
}
