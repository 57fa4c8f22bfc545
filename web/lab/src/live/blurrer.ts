import type { KernelBuffer, Size } from "@tombolo/web";
import type { ContenderId } from "../bench/experiment.ts";
import { loadTier } from "../contenders/wasm.ts";
import { Rival } from "../rival/client.ts";

/** Who can blur a frame of a moving picture: everyone but the edge. */
export type BlurrerId = Exclude<ContenderId, "edge">;
export const blurrerIds: readonly BlurrerId[] = ["javascript", "baseline", "simd", "threads"];

export interface Frame extends Size {
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** What a frame took. */
export interface FrameTime {
  readonly computeMs: number;
  readonly wallMs: number;
}

/** Blurs frame after frame, of one size or another, keeping its memory between them. */
export interface Blurrer {
  /** `paint` is given the result, which is good only until it returns. */
  blur(frame: Frame, sigma: number, paint: (pixels: Uint8ClampedArray) => void, signal: AbortSignal): Promise<FrameTime>;
  close(): Promise<void>;
}

export async function openBlurrer(id: BlurrerId, signal: AbortSignal): Promise<Blurrer> {
  return id === "javascript" ? javascriptBlurrer() : wasmBlurrer(id, signal);
}

function javascriptBlurrer(): Blurrer {
  const rival = new Rival();
  return {
    async blur({ pixels, width, height }, sigma, paint, signal) {
      const started = performance.now();
      const job = { kernel: "blur" as const, pixels: pixels.slice(), width, height, sigma };
      const { result, computeMs } = await rival.run(job, { signal });
      const wallMs = performance.now() - started;
      paint(result);
      return { computeMs, wallMs };
    },
    async close() {
      rival.close();
    },
  };
}

async function wasmBlurrer(tier: Exclude<BlurrerId, "javascript">, signal: AbortSignal): Promise<Blurrer> {
  const kernels = await loadTier(tier, signal);
  let buffer: KernelBuffer | undefined;
  return {
    async blur({ pixels, width, height }, sigma, paint, running) {
      if (buffer?.byteLength !== pixels.byteLength) {
        buffer?.free();
        buffer = undefined; // If the next line throws, nothing is kept that was freed.
        buffer = kernels.alloc(pixels.byteLength);
      }
      let computeMs = Number.NaN;
      const onTiming = (timing: { computeMs: number }): void => {
        computeMs = timing.computeMs;
      };
      const started = performance.now();
      buffer.pixels().set(pixels);
      await kernels.blur(buffer, { width, height, sigma, signal: running, onTiming });
      const wallMs = performance.now() - started;
      paint(buffer.pixels());
      return { computeMs, wallMs };
    },
    close: () => kernels.close(),
  };
}
