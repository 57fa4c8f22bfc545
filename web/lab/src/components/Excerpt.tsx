import type { JSX } from "react";

const bytesAround = 40;

/** The text around a byte that was to blame, with that byte marked. */
export function Excerpt({ bytes, offset }: { bytes: Uint8Array; offset: number }): JSX.Element {
  const { before, at, after } = excerpt(bytes, offset);
  return (
    <pre>
      {before}
      <mark>{at}</mark>
      {after}
    </pre>
  );
}

export function excerpt(bytes: Uint8Array, offset: number): { before: string; at: string; after: string } {
  const text = (from: number, to: number): string =>
    new TextDecoder().decode(bytes.slice(Math.max(0, from), Math.max(0, to))).replaceAll(/\s/g, " ");
  const start = Math.max(0, offset - bytesAround);
  return {
    before: (start > 0 ? "…" : "") + text(start, offset),
    at: offset < bytes.length ? text(offset, offset + 1) : "end of the text",
    after: text(offset + 1, offset + bytesAround) + (offset + bytesAround < bytes.length ? "…" : ""),
  };
}
