import { openArena } from "./arena.js";
import { startUp } from "./start-up.js";

/** @type {Awaited<ReturnType<typeof openArena>> | undefined} */
let arena;

/** @param {{ open: string, side: import("./arena.js").Side } | { index: number, runs: number } | { startUp: string }} request */
async function answer(request) {
  if ("startUp" in request) return { ms: await startUp(request.startUp) };
  if ("open" in request) {
    if (!crossOriginIsolated) throw new Error("the page is not cross-origin isolated");
    arena = await openArena(request.open, request.side, (url) => new Worker(url, { type: "module" }));
    arena.warmUp();
    return { names: arena.names, relaxed: arena.relaxed, calls: arena.calls };
  }
  if (!arena) throw new Error("no workload is open");
  return arena.sample(request.index, request.runs);
}

self.addEventListener("message", async ({ data }) => {
  try {
    self.postMessage(await answer(data));
  } catch (error) {
    self.postMessage({ error: String(error instanceof Error ? error.stack : error) });
  }
});
