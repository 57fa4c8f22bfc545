import { loadKernels, type Environment } from "@tombolo/web";
import { noteOf, type Note } from "../bench/note.ts";
import { findEdge, type Edge } from "../edge.ts";
import { findGpu, type Gpu } from "./gpu.ts";

/** What this page, browser and server allow. */
export type Probe =
  | { readonly state: "asking" }
  | { readonly state: "known"; readonly kernels: Environment; readonly gpu: Gpu; readonly edge: Edge; readonly agent: string }
  | { readonly state: "failed"; readonly note: Note; readonly gpu: Gpu; readonly edge: Edge };

/** Loads the best tier once, only to see which one it is. */
export async function probe(signal: AbortSignal): Promise<Probe> {
  const [gpu, edge, kernels] = await Promise.all([findGpu(), findEdge(signal), bestEnvironment(signal)]);
  if ("note" in kernels) return { state: "failed", note: kernels.note, gpu, edge };
  return { state: "known", kernels: kernels.environment, gpu, edge, agent: navigator.userAgent };
}

async function bestEnvironment(signal: AbortSignal): Promise<{ environment: Environment } | { note: Note }> {
  try {
    const kernels = await loadKernels({ tier: "auto", signal });
    const { environment } = kernels;
    await kernels.close();
    return { environment };
  } catch (error) {
    return { note: noteOf(error) };
  }
}
