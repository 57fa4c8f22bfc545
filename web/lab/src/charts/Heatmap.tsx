import type { JSX } from "react";

/** Cells across and down: a sample of the matrix, not all of it. */
const cells = 24;

/** A square matrix as a field of cells: sea above zero, sand below, fainter towards it. */
export function Heatmap(props: {
  readonly label: string;
  /** Row by row; without them the field is empty. */
  readonly values: ArrayLike<number> | undefined;
  readonly size: number;
  /** The magnitude that is drawn at full strength. */
  readonly most: number;
}): JSX.Element {
  const { label, values, size, most } = props;
  const description = values === undefined ? `Matrix ${label}, being computed` : `Matrix ${label}, ${size} by ${size}, sampled`;
  return (
    <figure className="heatmap">
      <svg viewBox={`0 0 ${cells} ${cells}`} role="img" aria-label={description}>
        {values !== undefined &&
          Array.from({ length: cells * cells }, (_, cell) => {
            const [x, y] = [cell % cells, Math.floor(cell / cells)];
            const value = values[at(y, size) * size + at(x, size)] ?? 0;
            const opacity = Math.min(1, Math.abs(value) / most);
            return (
              <rect key={cell} className={value < 0 ? "below" : "above"} {...{ x, y, opacity }} width="1" height="1" />
            );
          })}
      </svg>
      <figcaption>{label}</figcaption>
    </figure>
  );
}

/** The row or column that a cell shows. */
function at(cell: number, size: number): number {
  return Math.floor(((cell + 0.5) / cells) * size);
}
