import type { Size } from "@tombolo/web";
import { drawTombolo } from "./scene.ts";

/** Pixels as RGBA, row by row, with a name to tell them by. */
export interface Picture extends Size {
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  readonly name: string;
}

export const generatedSizes = {
  small: { width: 640, height: 400 },
  hd: { width: 1920, height: 1080 },
  "4k": { width: 3840, height: 2160 },
} as const;
export type GeneratedSize = keyof typeof generatedSizes;

/** Thrown for a picture whose pixels the browser would not hand over. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

export function generatedPicture(size: Size): Picture {
  const context = canvasOf(size);
  drawTombolo(context, size);
  return { ...size, pixels: readPixels(context, size), name: "A tombolo, drawn" };
}

/** Decodes an image file. */
export async function pictureFrom(file: File): Promise<Picture> {
  const bitmap = await createImageBitmap(file).catch((cause: unknown) => {
    throw new PictureError(`${file.name} is not a picture that this browser can read`, { cause });
  });
  try {
    const size = { width: bitmap.width, height: bitmap.height };
    const context = canvasOf(size);
    context.drawImage(bitmap, 0, 0);
    return { ...size, pixels: readPixels(context, size), name: file.name };
  } finally {
    bitmap.close();
  }
}

export function canvasOf({ width, height }: Size): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PictureError(`no canvas of ${width} × ${height} could be made`);
  return context;
}

/** A canvas that is too large draws nothing and throws only here, with words that do not say so. */
export function readPixels(
  context: OffscreenCanvasRenderingContext2D,
  { width, height }: Size,
): Uint8ClampedArray<ArrayBuffer> {
  try {
    return context.getImageData(0, 0, width, height).data;
  } catch (cause) {
    throw new PictureError(`${width} × ${height} pixels are more than this browser's canvas can hold`, { cause });
  }
}
