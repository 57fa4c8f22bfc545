import type { Metric } from "../charts/RuleChart.tsx";
import type { ScaleKind } from "../charts/scale.ts";
import { contenderIds, type ContenderId } from "./experiment.ts";

export const roundChoices = [3, 5, 9, 15] as const;
export type Rounds = (typeof roundChoices)[number];

/** How everything is measured and shown, in every view alike. */
export interface Settings {
  readonly rounds: Rounds;
  readonly contenders: readonly ContenderId[];
  readonly metric: Metric;
  readonly scale: ScaleKind;
}

export const initialSettings: Settings = {
  rounds: 5,
  contenders: contenderIds,
  metric: "computeMs",
  scale: "log",
};

/** Takes a contender in or out, keeping the order in which they are shown. */
export function toggled(settings: Settings, contender: ContenderId): Settings {
  const takesPart = (id: ContenderId): boolean =>
    id === contender ? !settings.contenders.includes(id) : settings.contenders.includes(id);
  return { ...settings, contenders: contenderIds.filter(takesPart) };
}
