import type { KernelBuffer, Kernels, SortedRows } from "@tombolo/web";
import { useCallback, useEffect, useRef, useState } from "react";
import { loadKernels } from "@tombolo/web";
import { isAbort, noteOf, type Note } from "../bench/note.ts";
import { generateRows } from "../inputs/generate.ts";

/** Where the rows come from. */
export type RowsWanted =
  | { readonly kind: "generated"; readonly rows: number }
  | { readonly kind: "file"; readonly file: File };

export interface SortBy {
  readonly key: string;
  readonly descending: boolean;
}

/** JSON text that is at hand. */
export interface RowsText {
  readonly json: Uint8Array<ArrayBuffer>;
  readonly name: string;
  /** If known without parsing. */
  readonly rows: number | undefined;
}

export type Sorting =
  | { readonly state: "empty" }
  | { readonly state: "working"; readonly doing: string; readonly done: number; readonly text?: RowsText }
  | { readonly state: "sorted"; readonly text: RowsText; readonly order: SortedRows; readonly by: SortBy; readonly computeMs: number }
  | { readonly state: "stopped"; readonly text?: RowsText }
  | { readonly state: "failed"; readonly note: Note; readonly text?: RowsText };

export interface Sorter {
  readonly sorting: Sorting;
  /** Gets rows and sorts them. */
  readonly open: (wanted: RowsWanted, by: SortBy) => void;
  /** Sorts the rows that are there, unless they were last sorted, or failed to sort, by just this. */
  readonly sort: (by: SortBy) => void;
  readonly stop: () => void;
}

/** What is held in the kernels' memory: freed, in this order, before the next rows come. */
interface Held {
  kernels: Kernels | undefined;
  buffer: KernelBuffer | undefined;
  order: SortedRows | undefined;
}

/** Rows on the best tier here, held in its memory for the list to read from. */
export function useSorter(): Sorter {
  const [sorting, setSorting] = useState<Sorting>({ state: "empty" });
  const held = useRef<Held>({ kernels: undefined, buffer: undefined, order: undefined });
  const running = useRef<AbortController>(undefined);
  const text = useRef<RowsText>(undefined);
  const last = useRef<SortBy>(undefined);

  const work = useCallback(async (get: (signal: AbortSignal) => Promise<RowsText>, by: SortBy): Promise<void> => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    last.current = by;
    const tell = (next: Sorting): void => {
      if (running.current === controller) setSorting(next);
    };
    try {
      tell({ state: "working", doing: "Reading rows", done: 0 });
      const rows = await get(controller.signal);
      controller.signal.throwIfAborted();
      const isNew = text.current !== rows;
      text.current = rows;
      const onProgress = (done: number): void => tell({ state: "working", doing: "Sorting", done, text: rows });
      onProgress(0);
      const sorted = await sortOn(held.current, rows, isNew, by, { signal: controller.signal, onProgress });
      tell({ state: "sorted", text: rows, by, ...sorted });
    } catch (error) {
      const at = text.current === undefined ? {} : { text: text.current };
      const stopped = controller.signal.aborted || isAbort(error);
      tell(stopped ? { state: "stopped", ...at } : { state: "failed", note: noteOf(error), ...at });
    }
  }, []);

  const open = useCallback(
    (wanted: RowsWanted, by: SortBy) => {
      text.current = undefined;
      void work((signal) => readRows(wanted, signal, (done) => setSorting({ state: "working", doing: "Making rows", done })), by);
    },
    [work],
  );
  const sort = useCallback(
    (by: SortBy) => {
      const rows = text.current;
      const isNew = last.current?.key !== by.key || last.current.descending !== by.descending;
      if (rows !== undefined && isNew) void work(async () => rows, by);
    },
    [work],
  );
  const stop = useCallback(() => running.current?.abort(), []);
  useEffect(
    () => () => {
      running.current?.abort();
      running.current = undefined;
      void held.current.kernels?.close();
      held.current = { kernels: undefined, buffer: undefined, order: undefined };
      text.current = undefined;
    },
    [],
  );
  return { sorting, open, sort, stop };
}

async function readRows(
  wanted: RowsWanted,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<RowsText> {
  if (wanted.kind === "file") {
    const json = new Uint8Array(await wanted.file.arrayBuffer());
    return { json, name: wanted.file.name, rows: undefined };
  }
  const json = await generateRows(wanted.rows, { signal, onProgress });
  return { json, name: "Generated rows", rows: wanted.rows };
}

async function sortOn(
  held: Held,
  rows: RowsText,
  isNew: boolean,
  by: SortBy,
  work: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
): Promise<{ order: SortedRows; computeMs: number }> {
  held.kernels ??= await loadKernels({ signal: work.signal });
  held.order?.free();
  held.order = undefined;
  if (isNew || held.buffer === undefined) {
    held.buffer?.free();
    held.buffer = undefined;
    held.buffer = held.kernels.alloc(rows.json.length);
    held.buffer.bytes().set(rows.json);
  }
  let computeMs = Number.NaN;
  const onTiming = (timing: { computeMs: number }): void => {
    computeMs = timing.computeMs;
  };
  held.order = await held.kernels.sortJson(held.buffer, { ...by, ...work, onTiming });
  return { order: held.order, computeMs };
}
