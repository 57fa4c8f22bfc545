import type { Picture } from "../inputs/picture.ts";
import { canvasOf, readPixels } from "../inputs/picture.ts";
import type { Frame } from "./blurrer.ts";

/** Where frames come from: a picture that stands still, or a video or camera that plays. */
export type FrameSource =
  | { readonly kind: "still"; readonly picture: Picture }
  | { readonly kind: "moving"; readonly video: HTMLVideoElement; readonly name: string };

/** Frames of a video are at most this wide: a 4K camera is shown smaller than that anyway. */
const movingWidthMax = 1280;

/** Reads the frames of a source; of a still one, always the same. */
export function frameReader(source: FrameSource): () => Frame {
  if (source.kind === "still") return () => source.picture;
  const { video } = source;
  const scale = Math.min(1, movingWidthMax / video.videoWidth);
  const size = { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) };
  const context = canvasOf(size);
  return () => {
    context.drawImage(video, 0, 0, size.width, size.height);
    return { ...size, pixels: readPixels(context, size) };
  };
}

/** A camera as a video that plays. Its tracks end with `signal`. */
export async function openCamera(signal: AbortSignal): Promise<FrameSource> {
  if (navigator.mediaDevices === undefined) throw new Error("This page may not use a camera: it is not served over https.");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: movingWidthMax } } });
  signal.addEventListener("abort", () => stream.getTracks().forEach((track) => track.stop()));
  const video = document.createElement("video");
  video.srcObject = stream;
  await playing(video);
  return { kind: "moving", video, name: stream.getVideoTracks()[0]?.label || "Camera" };
}

/** A video file, played in a loop without sound until `signal`. */
export async function openVideo(file: File, signal: AbortSignal): Promise<FrameSource> {
  const video = document.createElement("video");
  const url = URL.createObjectURL(file);
  signal.addEventListener("abort", () => {
    video.pause();
    video.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
  video.src = url;
  video.loop = true;
  await playing(video).catch((cause: unknown) => {
    throw new Error(`${file.name} is not a video that this browser can play`, { cause });
  });
  return { kind: "moving", video, name: file.name };
}

async function playing(video: HTMLVideoElement): Promise<void> {
  video.muted = true;
  video.playsInline = true;
  await video.play();
  if (video.videoWidth === 0) throw new Error("The video has no picture.");
}
