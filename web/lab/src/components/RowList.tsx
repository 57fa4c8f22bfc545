import { useEffect, useMemo, useRef, useState, type CSSProperties, type JSX, type KeyboardEvent } from "react";
import { count } from "../results/format.ts";

/** Rows that exist only while they are looked at. */
export interface Rows {
  readonly length: number;
  /** The row at a position, parsed. */
  at(position: number): unknown;
  /** Its number in the text it came from. */
  origin(position: number): number;
}

const shownRows = 12;
const columnsMax = 6;

/** A list of any length, of which a dozen rows are in the page. Arrow keys, page keys, Home and End move it. */
export function RowList({ rows, label }: { rows: Rows; label: string }): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(0);
  const last = Math.max(0, rows.length - shownRows);
  const columns = useMemo(() => columnsOf(rows), [rows]);
  useEffect(() => {
    setFirst(0);
    if (scroller.current !== null) scroller.current.scrollTop = 0;
  }, [rows]);

  const follow = (): void => {
    if (scroller.current === null) return;
    const at = scroller.current.scrollTop;
    const hidden = hiddenHeight(scroller.current);
    // A scroll that the keys below have caused names a place within a pixel of where they went.
    if (Math.abs((first / Math.max(1, last)) * hidden - at) <= 1) return;
    setFirst(Math.min(last, Math.round((at / hidden) * last)));
  };
  const move = (event: KeyboardEvent): void => {
    const target = keyTarget(event.key, first, last);
    if (target === undefined || scroller.current === null) return;
    event.preventDefault();
    setFirst(target);
    scroller.current.scrollTop = (target / Math.max(1, last)) * hiddenHeight(scroller.current);
  };

  const shown = Array.from({ length: Math.min(shownRows, rows.length) }, (_, row) => first + row);
  return (
    <div
      className="list"
      ref={scroller}
      onScroll={follow}
      onKeyDown={move}
      tabIndex={0}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      style={{ "--columns": columns.length, "--rows": rows.length } as CSSProperties}
    >
      <div className="list-head" role="row" aria-rowindex={1}>
        <span role="columnheader">#</span>
        <span role="columnheader">From row</span>
        {columns.map((column) => (
          <span role="columnheader" key={column}>
            {column}
          </span>
        ))}
      </div>
      <div className="list-room">
        <div className="list-rows" role="rowgroup">
          {shown.map((position) => (
            <div role="row" className="list-row" key={position} aria-rowindex={position + 2}>
              <span role="cell">{count(position + 1)}</span>
              <span role="cell">{count(rows.origin(position) + 1)}</span>
              {cells(rows.at(position), columns).map((cell, index) => (
                <span role="cell" key={columns[index]}>
                  {cell}
                </span>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** How far the list scrolls, in pixels. Long lists are scaled: see `--list-height-max`. */
function hiddenHeight(scroller: HTMLElement): number {
  return Math.max(1, scroller.scrollHeight - scroller.clientHeight);
}

function keyTarget(key: string, first: number, last: number): number | undefined {
  const targets: Readonly<Record<string, number>> = {
    ArrowDown: first + 1,
    ArrowUp: first - 1,
    PageDown: first + shownRows - 1,
    PageUp: first - shownRows + 1,
    Home: 0,
    End: last,
  };
  const target = targets[key];
  return target === undefined ? undefined : Math.min(last, Math.max(0, target));
}

/** The members of the first row, those of objects in it by their path. */
export function columnsOf(rows: Rows): readonly string[] {
  if (rows.length === 0) return [];
  return paths(rows.at(0), "").slice(0, columnsMax);
}

/** The paths of all members of a row: `wind.speed` for one in an object. */
export function paths(row: unknown, prefix: string): string[] {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return [];
  return Object.entries(row).flatMap(([name, value]) => {
    const within = paths(value, `${prefix}${name}.`);
    return within.length > 0 ? within : [`${prefix}${name}`];
  });
}

function cells(row: unknown, columns: readonly string[]): string[] {
  return columns.map((column) => {
    const value = column.split(".").reduce<unknown>(member, row);
    if (value === undefined) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
