/// <reference lib="webworker" />
import { rowChunks } from "./rows.ts";

export type RowsMessage =
  | { readonly state: "progress"; readonly fraction: number }
  | { readonly state: "done"; readonly json: Uint8Array<ArrayBuffer> };

/** Each row is at most this long; the buffer is cut to size at the end. */
const rowBytesMax = 128;
const rowsPerChunk = 10_000;

self.addEventListener("message", ({ data: rows }: MessageEvent<number>) => {
  const room = new Uint8Array(rows * rowBytesMax + 2);
  const encoder = new TextEncoder();
  let length = 0;
  let written = 0;
  for (const chunk of rowChunks(rows, rowsPerChunk)) {
    length += encoder.encodeInto(chunk, room.subarray(length)).written;
    written += rowsPerChunk;
    self.postMessage({ state: "progress", fraction: Math.min(1, written / rows) } satisfies RowsMessage);
  }
  const json = room.slice(0, length);
  self.postMessage({ state: "done", json } satisfies RowsMessage, { transfer: [json.buffer] });
});
