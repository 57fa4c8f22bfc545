import type { RowsMessage } from "./rows.worker.ts";

/** Makes rows in a worker: a million take a second or two. Rejects with the signal's reason. */
export function generateRows(
  rows: number,
  options: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
): Promise<Uint8Array<ArrayBuffer>> {
  const worker = new Worker(new URL("./rows.worker.ts", import.meta.url), { type: "module" });
  const made = new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
    options.signal.addEventListener("abort", () => reject(options.signal.reason), { once: true });
    worker.addEventListener("error", (event) => reject(new Error(`The worker that makes rows stopped: ${event.message}`)));
    worker.addEventListener("message", ({ data }: MessageEvent<RowsMessage>) => {
      if (data.state === "progress") options.onProgress(data.fraction);
      else resolve(data.json);
    });
    worker.postMessage(rows);
  });
  return made.finally(() => worker.terminate());
}
