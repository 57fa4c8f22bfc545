import { useMemo, useRef, useState, type CSSProperties, type JSX, type RefObject } from "react";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Dial, NoteBox, Segmented, Sheet, Slider, ViewHead } from "../components/parts.tsx";
import { SourceControls } from "../components/SourceControls.tsx";
import { contenderNames } from "../contenders/labels.ts";
import { blurExperiment } from "../experiments/blur.ts";
import type { Job } from "../lab.tsx";
import { useLab } from "../lab.tsx";
import { blurrerIds, type BlurrerId } from "../live/blurrer.ts";
import { frameReader } from "../live/frames.ts";
import { useFrameSource } from "../live/useFrameSource.ts";
import { useLiveBlur, type LiveBlur } from "../live/useLiveBlur.ts";
import { duration } from "../results/format.ts";

/** Gaussian blur: a picture, video or camera, before and after, at once. */
export function BlurView(): JSX.Element {
  const { source, choose } = useFrameSource();
  const [radius, setRadius] = useState(12);
  const { id, choices, setId } = useBlurrerChoice();
  const canvases = { before: useRef<HTMLCanvasElement>(null), after: useRef<HTMLCanvasElement>(null) };
  const frames = source.state === "ready" ? source.source : undefined;
  const sigma = radius / 2;
  const live = useLiveBlur(frames, id, sigma, canvases);
  const job: Job = useMemo(
    () => ({
      kernel: "blur",
      experiment: () => {
        if (frames === undefined) throw new Error("There is no picture to blur.");
        const name = frames.kind === "still" ? frames.picture.name : frames.name;
        return blurExperiment({ ...frameReader(frames)(), name }, sigma);
      },
    }),
    [frames, sigma],
  );
  return (
    <>
      <ViewHead title="Gaussian blur">
        A true Gaussian, separable, in place. Drop a picture or a video, or look through the camera, and move the radius:
        every change is computed anew.
      </ViewHead>
      <Sheet title="Picture" aside={<p className="soft">{frames === undefined ? "" : describe(frames)}</p>}>
        <SourceControls source={source} choose={choose} moving />
        {source.state === "failed" && <NoteBox note={source.note} kind="error" />}
        <Compare before={canvases.before} after={canvases.after} busy={live.state === "waiting"} />
        {live.state === "failed" && <NoteBox note={live.note} kind="error" />}
        <div className="controls">
          <Slider label="Radius" value={radius} min={1} max={80} step={1} unit={`px, σ ${sigma}`} onChange={setRadius} />
          <Segmented label="Shown by" value={id} choices={choices} onChange={setId} />
        </div>
        <LiveDials live={live} />
      </Sheet>
      <BenchPanel job={job} {...(frames === undefined ? { blocked: "Choose a picture first." } : {})} />
    </>
  );
}

type FrameSource = NonNullable<Parameters<typeof useLiveBlur>[0]>;

function describe(frames: FrameSource): string {
  if (frames.kind === "moving") return `${frames.name}, playing`;
  const { name, width, height } = frames.picture;
  return `${name}, ${width} × ${height}`;
}

/** The best tier here, until the user picks another implementation. */
function useBlurrerChoice(): {
  readonly id: BlurrerId;
  readonly choices: readonly { value: BlurrerId; label: string; disabled: boolean }[];
  readonly setId: (id: BlurrerId) => void;
} {
  const { probe } = useLab();
  const [picked, setId] = useState<BlurrerId>();
  const best = probe.state === "known" ? probe.kernels.tier : "baseline";
  const missing = (id: BlurrerId): boolean =>
    probe.state === "known" && ((id === "threads" && !probe.kernels.threads) || (id === "simd" && !probe.kernels.simd));
  const choices = blurrerIds.map((value) => ({ value, label: contenderNames[value], disabled: missing(value) }));
  return { id: picked ?? best, choices, setId };
}

function LiveDials({ live }: { live: LiveBlur }): JSX.Element {
  const kernel = duration(live.state === "shown" ? live.time.computeMs : Number.NaN);
  const wall = duration(live.state === "shown" ? live.time.wallMs : Number.NaN);
  const rate = live.state === "shown" ? live.framesPerSecond : undefined;
  return (
    <dl className="dials">
      <Dial label="Kernel" {...kernel} />
      <Dial label="With copies" {...wall} />
      {rate !== undefined && <Dial label="Frames" value={rate.toFixed(0)} unit="/s" />}
    </dl>
  );
}

type CanvasRef = RefObject<HTMLCanvasElement | null>;

/** The picture as it is on the left of a divider, and blurred on its right. */
function Compare({ before, after, busy }: { before: CanvasRef; after: CanvasRef; busy: boolean }): JSX.Element {
  const [split, setSplit] = useState(50);
  return (
    <figure className="compare" style={{ "--split": `${split}%` } as CSSProperties} data-busy={busy}>
      <canvas ref={before} role="img" aria-label="The picture as it is" />
      <canvas ref={after} className="compare-after" role="img" aria-label="The picture, blurred" />
      <span className="compare-line" aria-hidden="true" />
      <input
        type="range"
        aria-label="Divider between the picture as it is and blurred"
        min={0}
        max={100}
        value={split}
        onChange={(event) => setSplit(event.currentTarget.valueAsNumber)}
      />
      <figcaption aria-hidden="true">
        <span>Before</span>
        <span>After</span>
      </figcaption>
    </figure>
  );
}
