import { instantiate } from "@tombolo/web/direct";
import { summarise } from "../bench/statistics.ts";

const callsPerRun = 200_000;
const runs = 9;

/**
 * What one call of an empty kernel costs, in milliseconds: the price of crossing from JavaScript.
 * Called on this thread, some ten milliseconds in all.
 */
export async function emptyCallMs(): Promise<number> {
  const { exports } = await instantiate({ tier: "baseline" });
  const timings = Array.from({ length: runs }, () => {
    const started = performance.now();
    for (let call = 0; call < callsPerRun; call += 1) exports.tk_nop();
    return (performance.now() - started) / callsPerRun;
  });
  return summarise(timings)?.median ?? Number.NaN;
}
