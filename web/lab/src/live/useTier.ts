import type { Kernels, Tier } from "@tombolo/web";
import { loadKernels } from "@tombolo/web";
import { useEffect, useState } from "react";
import { noteOf, type Note } from "../bench/note.ts";

/** Kernels for what a view shows at once, apart from those that are measured. */
export type Loaded =
  | { readonly state: "loading" }
  | { readonly state: "ready"; readonly kernels: Kernels }
  | { readonly state: "failed"; readonly note: Note };

/** Loads a tier for as long as the component is shown, and closes it then. */
export function useTier(tier: Tier | "auto"): Loaded {
  const [loaded, setLoaded] = useState<Loaded>({ state: "loading" });
  useEffect(() => {
    const controller = new AbortController();
    setLoaded({ state: "loading" });
    const loading = loadKernels({ tier, signal: controller.signal });
    loading.then(
      (kernels) => (controller.signal.aborted ? kernels.close() : setLoaded({ state: "ready", kernels })),
      (error: unknown) => {
        if (!controller.signal.aborted) setLoaded({ state: "failed", note: noteOf(error) });
      },
    );
    return () => {
      controller.abort();
      void loading.then((kernels) => kernels.close()).catch(() => {});
    };
  }, [tier]);
  return loaded;
}
