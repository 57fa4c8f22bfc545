/// <reference lib="webworker" />
import { blur, crc32, fibonacci, matmul, preprocess, resize, sortJson } from "./rivals.ts";
import type { RivalAnswer, RivalJob, RivalResults } from "./job.ts";

/** The bytes that are read from a file at a time. */
const fileChunkBytes = 8 << 20;

self.addEventListener("message", (event: MessageEvent<RivalJob>) => {
  void answer(event.data);
});

async function answer(job: RivalJob): Promise<void> {
  try {
    const { result, computeMs } = job.kernel === "crc-file" ? await crcOfFile(job.file) : timed(() => compute(job));
    const moved = ArrayBuffer.isView(result) ? [result.buffer] : [];
    post({ state: "done", result, computeMs }, moved);
  } catch (error) {
    post({ state: "failed", ...failure(error) });
  }
}

function post(message: RivalAnswer, moved: Transferable[] = []): void {
  self.postMessage(message, { transfer: moved });
}

function timed<T>(work: () => T): { result: T; computeMs: number } {
  const started = performance.now();
  const result = work();
  return { result, computeMs: performance.now() - started };
}

function compute(job: Exclude<RivalJob, { kernel: "crc-file" }>): RivalResults[keyof RivalResults] {
  switch (job.kernel) {
    case "blur":
      return blur(job.pixels, job, job.sigma);
    case "resize":
      return resize(job.pixels, job, job.to);
    case "preprocess":
      return preprocess(job.pixels, job, job.to, job);
    case "sort":
      return sortJson(job.json, job, job.into);
    case "crc":
      return crc32(0, job.bytes);
    case "matmul":
      return matmul(job.a, job.b, job);
    case "fibonacci":
      return fibonacci(job.n);
  }
}

/** Reading is not computing: only the checksum's own time counts, as with the kernels. */
async function crcOfFile(file: Blob): Promise<{ result: number; computeMs: number }> {
  let state = 0;
  let computeMs = 0;
  for (let at = 0; at < file.size; at += fileChunkBytes) {
    const chunk = new Uint8Array(await file.slice(at, at + fileChunkBytes).arrayBuffer());
    const step = timed(() => crc32(state, chunk));
    state = step.result;
    computeMs += step.computeMs;
    post({ state: "progress", fraction: Math.min(1, (at + chunk.length) / file.size) });
  }
  return { result: state, computeMs };
}

function failure(error: unknown): { message: string; code?: string; offset?: number } {
  if (!(error instanceof Error)) return { message: String(error) };
  if (error instanceof SyntaxError) return { message: error.message, code: "invalid-json", ...syntaxOffset(error) };
  if (error instanceof RangeError) return { message: error.message, code: "out-of-memory" };
  return { message: error.message };
}

/** V8 names the character at which parsing stopped in its message, and nowhere else. */
function syntaxOffset(error: SyntaxError): { offset?: number } {
  const position = /position (\d+)/.exec(error.message)?.[1];
  return position === undefined ? {} : { offset: Number(position) };
}
