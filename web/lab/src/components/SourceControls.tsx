import type { JSX } from "react";
import { generatedSizes, type GeneratedSize } from "../inputs/picture.ts";
import type { Source, Wanted } from "../live/useFrameSource.ts";
import { Drop } from "./Drop.tsx";
import { Segmented } from "./parts.tsx";

const sizeNames = Object.entries(generatedSizes).map(([value, { width, height }]) => ({
  value: value as GeneratedSize,
  label: `${width} × ${height}`,
}));

/** Chooses what to look at: a drawn picture, a file, or the camera where the view takes moving pictures. */
export function SourceControls(props: {
  readonly source: Source;
  readonly choose: (wanted: Wanted) => void;
  readonly moving?: boolean;
}): JSX.Element {
  const { source, choose, moving = false } = props;
  const drawn = source.wanted.kind === "generated" ? source.wanted.size : "";
  return (
    <div className="source">
      <Segmented<GeneratedSize | "">
        label="Drawn picture"
        value={drawn}
        choices={sizeNames}
        onChange={(size) => size !== "" && choose({ kind: "generated", size })}
      />
      <Drop
        label="Choose a file"
        accept={moving ? "image/*,video/*" : "image/*"}
        hint={moving ? "Or drop a picture or a video here. It stays on this machine." : "Or drop a picture here. It stays on this machine."}
        onFile={(file) => choose({ kind: "file", file })}
      >
        {moving && (
          <button type="button" className="button" onClick={() => choose({ kind: "camera" })}>
            {source.wanted.kind === "camera" && source.state === "opening" ? "Asking for the camera…" : "Camera"}
          </button>
        )}
      </Drop>
    </div>
  );
}
