import { useEffect, useMemo, useRef, useState, type JSX } from "react";
import type { Kernels } from "@tombolo/web";
import { noteOf, type Note } from "../bench/note.ts";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Dial, NoteBox, Segmented, Sheet, ViewHead } from "../components/parts.tsx";
import { SourceControls } from "../components/SourceControls.tsx";
import { imagenet, resizeExperiment, type ResizeInto } from "../experiments/resize.ts";
import type { Picture } from "../inputs/picture.ts";
import type { Job } from "../lab.tsx";
import { useFrameSource } from "../live/useFrameSource.ts";
import { useTier } from "../live/useTier.ts";
import { count, duration } from "../results/format.ts";

const sides = [224, 384, 640] as const;

/** What the picture became: one picture of RGBA, or a grey one for each plane of the tensor. */
interface Made {
  readonly planes: readonly { readonly name: string; readonly pixels: Uint8ClampedArray<ArrayBuffer> }[];
  readonly computeMs: number;
}

type Resized =
  | { readonly state: "working" }
  | ({ readonly state: "done"; readonly side: number } & Made)
  | { readonly state: "failed"; readonly note: Note };

/** Bicubic resize, and the tensor that a model takes. */
export function ResizeView(): JSX.Element {
  const { source, choose } = useFrameSource();
  const [side, setSide] = useState<number>(640);
  const [into, setInto] = useState<ResizeInto>("tensor");
  const picture = source.state === "ready" && source.source.kind === "still" ? source.source.picture : undefined;
  const resized = useResized(picture, side, into);
  const job: Job = useMemo(
    () => ({
      kernel: "resize",
      experiment: () => {
        if (picture === undefined) throw new Error("There is no picture to resize.");
        return resizeExperiment(picture, { width: side, height: side }, into);
      },
    }),
    [picture, side, into],
  );
  return (
    <>
      <ViewHead title="Resize and preprocess">
        Bicubic, from a photograph’s size to a model’s; and in one step the three planes of normalised floats that it
        takes.
      </ViewHead>
      <Sheet
        title="Picture"
        aside={picture && <p className="soft">{`${picture.name}, ${count(picture.width)} × ${count(picture.height)}`}</p>}
      >
        <SourceControls source={source} choose={choose} />
        {source.state === "failed" && <NoteBox note={source.note} kind="error" />}
        <div className="controls">
          <Segmented
            label="To"
            value={side}
            choices={sides.map((value) => ({ value, label: `${value} × ${value}` }))}
            onChange={setSide}
          />
          <Segmented
            label="As"
            value={into}
            choices={[
              { value: "tensor", label: "Tensor" },
              { value: "picture", label: "Picture" },
            ]}
            onChange={setInto}
          />
        </div>
        <ResizedView resized={resized} />
      </Sheet>
      <BenchPanel job={job} {...(picture === undefined ? { blocked: "Choose a picture first." } : {})} />
    </>
  );
}

function ResizedView({ resized }: { resized: Resized }): JSX.Element {
  if (resized.state === "failed") return <NoteBox kind="error" note={resized.note} />;
  if (resized.state === "working") return <p className="placeholder">Resizing…</p>;
  return (
    <>
      <div className="planes">
        {resized.planes.map(({ name, pixels }) => (
          <figure key={name}>
            <Plane pixels={pixels} side={resized.side} name={name} />
            <figcaption>{name}</figcaption>
          </figure>
        ))}
      </div>
      <dl className="dials">
        <Dial label="First run, best tier here" {...duration(resized.computeMs)} />
        <Dial label="Values out" value={count(resized.side ** 2 * (resized.planes.length === 1 ? 4 : 3))} />
      </dl>
    </>
  );
}

function Plane({ pixels, side, name }: { pixels: Uint8ClampedArray<ArrayBuffer>; side: number; name: string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    canvas.current?.getContext("2d")?.putImageData(new ImageData(pixels, side, side), 0, 0);
  }, [pixels, side]);
  return <canvas ref={canvas} width={side} height={side} role="img" aria-label={`${name}, ${side} by ${side}`} />;
}

/** The resized picture on the best tier here, once: to be looked at, not to be measured. */
function useResized(picture: Picture | undefined, side: number, into: ResizeInto): Resized {
  const loaded = useTier("auto");
  const [resized, setResized] = useState<Resized>({ state: "working" });
  useEffect(() => {
    if (loaded.state !== "ready" || picture === undefined) return undefined;
    const controller = new AbortController();
    setResized({ state: "working" });
    resizeOnce(loaded.kernels, picture, side, into, controller.signal).then(
      (made) => {
        if (!controller.signal.aborted) setResized({ state: "done", side, ...made });
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setResized({ state: "failed", note: noteOf(error) });
      },
    );
    return () => controller.abort();
  }, [loaded, picture, side, into]);
  return loaded.state === "failed" ? loaded : resized;
}

async function resizeOnce(
  kernels: Kernels,
  { pixels, width, height }: Picture,
  side: number,
  into: ResizeInto,
  signal: AbortSignal,
): Promise<Made> {
  using source = await kernels.from(pixels, { signal });
  let computeMs = Number.NaN;
  const onTiming = (timing: { computeMs: number }): void => {
    computeMs = timing.computeMs;
  };
  const how = { width, height, to: { width: side, height: side }, signal, onTiming };
  if (into === "picture") {
    using made = await kernels.resize(source, how);
    return { planes: [{ name: "Picture", pixels: new Uint8ClampedArray(made.pixels()) }], computeMs };
  }
  using tensor = await kernels.preprocess(source, { ...how, ...imagenet });
  const values = tensor.floats();
  const planes = ["Red", "Green", "Blue"].map((name, channel) => ({ name, pixels: grey(values, channel, side) }));
  return { planes, computeMs };
}

/** A plane of the tensor as grey: its normalisation undone, so that it looks like the picture. */
function grey(values: Float32Array, channel: number, side: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  const [mean, std] = [imagenet.mean[channel] ?? 0, imagenet.std[channel] ?? 1];
  for (let at = 0; at < side * side; at += 1) {
    pixels.fill(((values[channel * side * side + at] ?? 0) * std + mean) * 255, at * 4, at * 4 + 3);
  }
  return pixels;
}
