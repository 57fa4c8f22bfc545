import { useSyncExternalStore } from "react";
import { kernelIds, type KernelId } from "./bench/experiment.ts";

export type Place = "overview" | KernelId;
export const places: readonly Place[] = ["overview", ...kernelIds];

/** The place that a fragment names: `#/blur`. Anything else is the overview. */
export function placeOf(fragment: string): Place {
  const name = fragment.replace(/^#\/?/, "");
  return places.find((place) => place === name) ?? "overview";
}

export function linkTo(place: Place): string {
  return place === "overview" ? "#/" : `#/${place}`;
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, () => placeOf(window.location.hash));
}
