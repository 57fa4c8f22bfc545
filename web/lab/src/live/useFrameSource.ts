import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort, noteOf, type Note } from "../bench/note.ts";
import { generatedPicture, generatedSizes, pictureFrom, type GeneratedSize } from "../inputs/picture.ts";
import { openCamera, openVideo, type FrameSource } from "./frames.ts";

export type Wanted =
  | { readonly kind: "generated"; readonly size: GeneratedSize }
  | { readonly kind: "file"; readonly file: File }
  | { readonly kind: "camera" };

export type Source =
  | { readonly state: "opening"; readonly wanted: Wanted }
  | { readonly state: "ready"; readonly wanted: Wanted; readonly source: FrameSource }
  | { readonly state: "failed"; readonly wanted: Wanted; readonly note: Note };

const first: Wanted = { kind: "generated", size: "hd" };

/** What a view looks at. What was opened before is closed when something else is chosen. */
export function useFrameSource(): { readonly source: Source; readonly choose: (wanted: Wanted) => void } {
  const [source, setSource] = useState<Source>({ state: "opening", wanted: first });
  const opened = useRef<AbortController>(undefined);
  const choose = useCallback((wanted: Wanted) => {
    opened.current?.abort();
    const controller = new AbortController();
    opened.current = controller;
    setSource({ state: "opening", wanted });
    open(wanted, controller.signal).then(
      (found) => {
        if (!controller.signal.aborted) setSource({ state: "ready", wanted, source: found });
      },
      (error: unknown) => {
        if (!controller.signal.aborted && !isAbort(error)) setSource({ state: "failed", wanted, note: noteOf(error) });
      },
    );
  }, []);
  useEffect(() => {
    choose(first);
    return () => opened.current?.abort();
  }, [choose]);
  return { source, choose };
}

async function open(wanted: Wanted, signal: AbortSignal): Promise<FrameSource> {
  switch (wanted.kind) {
    case "generated":
      return { kind: "still", picture: generatedPicture(generatedSizes[wanted.size]) };
    case "camera":
      return openCamera(signal);
    case "file":
      return wanted.file.type.startsWith("video/")
        ? openVideo(wanted.file, signal)
        : { kind: "still", picture: await pictureFrom(wanted.file) };
  }
}
