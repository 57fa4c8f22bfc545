import type { RivalAnswer, RivalDone, RivalJob, RivalResults } from "./job.ts";

/** An error that the worker reported, with the same words for what went wrong as a kernel's. */
export class RivalError extends Error {
  override readonly name = "RivalError";
  readonly code: string;
  readonly offset: number | undefined;

  constructor(message: string, code: string, offset?: number) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/**
 * The JavaScript in a worker of its own, one job at a time. JavaScript cannot be interrupted, so to
 * stop a job is to end the worker; the next job starts another one.
 */
export class Rival {
  #worker: Worker | undefined;

  async run<J extends RivalJob>(
    job: J,
    options: { readonly signal: AbortSignal; readonly onProgress?: (fraction: number) => void },
  ): Promise<RivalDone<J["kernel"]>> {
    options.signal.throwIfAborted();
    const worker = (this.#worker ??= new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
    const over = new AbortController();
    try {
      return await new Promise<RivalDone<J["kernel"]>>((resolve, reject) => {
        const listen = { signal: over.signal };
        options.signal.addEventListener("abort", () => reject(options.signal.reason), listen);
        worker.addEventListener("error", (event) => reject(new RivalError(event.message || "no reason given", "crashed")), listen);
        worker.addEventListener(
          "message",
          ({ data }: MessageEvent<RivalAnswer>) => {
            if (data.state === "progress") options.onProgress?.(data.fraction);
            else if (data.state === "failed") reject(new RivalError(data.message, data.code ?? "", data.offset));
            // The worker answers a job with the result of its kernel: `RivalResults` pairs them.
            else resolve({ computeMs: data.computeMs, result: data.result as RivalResults[J["kernel"]] });
          },
          listen,
        );
        worker.postMessage(job, { transfer: buffersOf(job) });
      });
    } catch (error) {
      if (!(error instanceof RivalError) || error.code === "crashed") this.close();
      throw error;
    } finally {
      over.abort();
    }
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function buffersOf(job: RivalJob): ArrayBuffer[] {
  return Object.values(job)
    .filter((value) => ArrayBuffer.isView(value))
    .map((view) => view.buffer as ArrayBuffer);
}
