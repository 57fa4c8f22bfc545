import { contendersOf, samplesOf, type Report } from "../bench/reading.ts";
import { contenderNames, kernelNames } from "../contenders/labels.ts";
import type { Probe } from "../environment/probe.ts";
import { durationText, ratioText, shareText } from "./format.ts";
import { rowOf } from "./rows.ts";

/** What leaves the lab: reports with every run, and where they were taken. `version` names this form. */
export interface Exported {
  readonly version: 1;
  readonly environment: Probe;
  readonly reports: readonly Report[];
}

export function toJson(reports: readonly Report[], environment: Probe): string {
  return `${JSON.stringify({ version: 1, environment, reports } satisfies Exported, null, 2)}\n`;
}

/** A table for each report, as GitHub reads it. */
export function toMarkdown(reports: readonly Report[], environment: Probe): string {
  return [...reports.map(tableOf), whereTaken(environment)].join("\n\n").concat("\n");
}

function tableOf(report: Report): string {
  const head = ["Implementation", "Kernel", "Spread", "With copies", "Spread", report.rate.unit, "To JavaScript", "Result"];
  const lines = contendersOf(report).map((contender) => {
    const reading = report.readings[contender];
    const name = contenderNames[contender];
    if (reading?.state === "absent") return [name, "–", "", "", "", "", "", reading.why];
    if (reading?.state === "failed") return [name, "–", "", "", "", "", "", `${reading.note.title}: ${reading.note.detail}`];
    const { compute, wall, rate, ratio } = rowOf(report, contender);
    if (compute === undefined || wall === undefined || samplesOf(reading).length === 0) {
      return [name, "–", "", "", "", "", "", "not measured"];
    }
    return [
      name,
      durationText(compute.median),
      shareText(compute.spread),
      durationText(wall.median),
      shareText(wall.spread),
      rate,
      ratioText(ratio),
      reading?.state === "measured" ? verdictOf(reading.agreement) : "",
    ];
  });
  const title = `**${kernelNames[report.kernel]}**: ${report.subject}; median of ${report.rounds} alternating runs`;
  const rule = ["---", ...Array.from({ length: 6 }, () => "--:"), "---"];
  return [`${title}\n`, ...[head, rule, ...lines].map(line)].join("\n");
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}

function verdictOf(agreement: { readonly verdict: string; readonly difference?: string }): string {
  return agreement.difference === undefined ? agreement.verdict : `${agreement.verdict}: ${agreement.difference}`;
}

function whereTaken(environment: Probe): string {
  if (environment.state !== "known") return "Environment unknown.";
  const { kernels, agent } = environment;
  const isolated = kernels.crossOriginIsolated ? "cross-origin isolated" : "not cross-origin isolated";
  return `${agent}; ${kernels.cores} cores, ${isolated}, best tier \`${kernels.tier}\` with ${kernels.workers} workers.`;
}
