import { useEffect, useRef, useState, type RefObject } from "react";
import { nextPaint } from "../bench/measure.ts";
import { isAbort, noteOf, type Note } from "../bench/note.ts";
import { openBlurrer, type Blurrer, type BlurrerId, type Frame, type FrameTime } from "./blurrer.ts";
import { frameReader, type FrameSource } from "./frames.ts";

export type LiveBlur =
  | { readonly state: "waiting" }
  | { readonly state: "shown"; readonly time: FrameTime; readonly framesPerSecond: number | undefined }
  | { readonly state: "failed"; readonly note: Note };

interface Canvases {
  readonly before: RefObject<HTMLCanvasElement | null>;
  readonly after: RefObject<HTMLCanvasElement | null>;
}

/** Keeps two canvases showing a source as it is and blurred: anew for every frame and every sigma. */
export function useLiveBlur(source: FrameSource | undefined, id: BlurrerId, sigma: number, canvases: Canvases): LiveBlur {
  const [live, setLive] = useState<LiveBlur>({ state: "waiting" });
  const strength = useRef(new Latest(sigma));
  useEffect(() => strength.current.set(sigma), [sigma]);
  const { before, after } = canvases;

  useEffect(() => {
    if (source === undefined || before.current === null || after.current === null) return undefined;
    const controller = new AbortController();
    const { signal } = controller;
    setLive({ state: "waiting" });
    void show(source, id, strength.current, { before: before.current, after: after.current }, signal, (next) => {
      if (!signal.aborted) setLive(next);
    });
    return () => controller.abort();
  }, [source, id, before, after]);
  return live;
}

/** A value that can be waited for to change. */
class Latest {
  value: number;
  #changed = Promise.withResolvers<void>();

  constructor(value: number) {
    this.value = value;
  }

  set(value: number): void {
    if (value === this.value) return;
    this.value = value;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves once the value is another one than `seen`. */
  async other(seen: number, signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (this.value === seen && !signal.aborted) await Promise.race([this.#changed.promise, stopped]);
  }
}

async function show(
  source: FrameSource,
  id: BlurrerId,
  strength: Latest,
  canvases: { before: HTMLCanvasElement; after: HTMLCanvasElement },
  signal: AbortSignal,
  report: (live: LiveBlur) => void,
): Promise<void> {
  let blurrer: Blurrer | undefined;
  try {
    blurrer = await openBlurrer(id, signal);
    const read = frameReader(source);
    let since = performance.now();
    for (let first = true; !signal.aborted; first = false) {
      const frame = read();
      const sigma = strength.value;
      if (first || source.kind === "moving") put(canvases.before, frame, frame.pixels);
      const time = await blurrer.blur(frame, sigma, (pixels) => put(canvases.after, frame, pixels), signal);
      const now = performance.now();
      const framesPerSecond = source.kind === "moving" && !first ? 1000 / (now - since) : undefined;
      since = now;
      report({ state: "shown", time, framesPerSecond });
      await (source.kind === "moving" ? nextPaint() : strength.other(sigma, signal));
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) report({ state: "failed", note: noteOf(error) });
  } finally {
    await blurrer?.close();
  }
}

/** Paints pixels. Shared memory cannot be given to a canvas: that is one copy, here. */
function put(canvas: HTMLCanvasElement, { width, height }: Frame, pixels: Uint8ClampedArray): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  const own = pixels.buffer instanceof ArrayBuffer;
  const image = own ? (pixels as Uint8ClampedArray<ArrayBuffer>) : new Uint8ClampedArray(pixels);
  context?.putImageData(new ImageData(image, width, height), 0, 0);
}
