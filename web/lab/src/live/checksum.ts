import type { ContenderId } from "../bench/experiment.ts";
import { loadTier } from "../contenders/wasm.ts";
import { edgeCrc32, requireEdge } from "../edge.ts";
import { hex } from "../experiments/crc.ts";
import { Rival } from "../rival/client.ts";

/** A checksum, in eight digits, and what it took. */
export interface Checksum {
  readonly crc: string;
  /** From the first byte read to the last one summed. */
  readonly wallMs: number;
}

/** Streams a file of any size through one implementation, in flat memory. */
export async function checksumOf(
  file: Blob,
  by: ContenderId,
  work: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
): Promise<Checksum> {
  if (by === "edge") return timed(() => edgeChecksum(file, work.signal));
  if (by === "javascript") {
    const rival = new Rival();
    try {
      return await timed(async () => hex((await rival.run({ kernel: "crc-file", file }, work)).result));
    } finally {
      rival.close();
    }
  }
  const kernels = await loadTier(by, work.signal);
  try {
    return await timed(async () => hex(await kernels.crc32(file, work)));
  } finally {
    await kernels.close();
  }
}

async function edgeChecksum(file: Blob, signal: AbortSignal): Promise<string> {
  await requireEdge(signal);
  return (await edgeCrc32(file, signal)).crc32;
}

async function timed(work: () => Promise<string>): Promise<Checksum> {
  const started = performance.now();
  const crc = await work();
  return { crc, wallMs: performance.now() - started };
}
