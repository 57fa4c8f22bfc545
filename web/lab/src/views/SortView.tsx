import { useMemo, useState, type JSX } from "react";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Drop } from "../components/Drop.tsx";
import { Excerpt } from "../components/Excerpt.tsx";
import { Dial, NoteBox, Segmented, Sheet, ViewHead, Working } from "../components/parts.tsx";
import { paths, RowList, type Rows } from "../components/RowList.tsx";
import { SortKey } from "../components/SortKey.tsx";
import { sortExperiment, type SortInto } from "../experiments/sort.ts";
import { rowKeys } from "../inputs/rows.ts";
import type { Job } from "../lab.tsx";
import { useSorter, type SortBy, type Sorting } from "../live/useSorter.ts";
import { bytesText, count, duration } from "../results/format.ts";

const rowChoices = [10_000, 100_000, 1_000_000] as const;

/** A million rows of JSON, sorted without being parsed. */
export function SortView(): JSX.Element {
  const { sorting, open, sort, stop } = useSorter();
  const [rows, setRows] = useState<number>(1_000_000);
  const [by, setBy] = useState<SortBy>({ key: "id", descending: false });
  const [into, setInto] = useState<SortInto>("order");
  const text = "text" in sorting ? sorting.text : undefined;
  const job: Job = useMemo(
    () => ({
      kernel: "sort",
      experiment: () => {
        if (text === undefined) throw new Error("There are no rows to sort.");
        return sortExperiment({ json: text.json, rows: text.rows, ...by, into });
      },
    }),
    [text, by, into],
  );
  const enter = (next: SortBy): void => {
    setBy(next);
    sort(next);
  };
  return (
    <>
      <ViewHead title="JSON sort">
        From JSON text to the order of its rows by any key, without building an object: the text is scanned, keys are
        taken out where they stand, and only the rows on screen are ever parsed.
      </ViewHead>
      <Sheet title="Rows" aside={text !== undefined && <p className="soft">{describe(sorting)}</p>}>
        <div className="source">
          <div className="controls">
          <Segmented
            label="Generated"
            value={rows}
            choices={rowChoices.map((value) => ({ value, label: count(value) }))}
            onChange={setRows}
          />
          <button type="button" className="button button-main" onClick={() => open({ kind: "generated", rows }, by)}>
            Make and sort
          </button>
         </div>
        <Drop
          label="Choose a JSON file"
          accept=".json,application/json"
          hint="Or drop one here: an array of objects. It stays on this machine."
          onFile={(file) => open({ kind: "file", file }, by)}
        />
        </div>
        <SortKey by={by} keys={keysOf(sorting)} onType={setBy} onEnter={enter} />
        <SortingView sorting={sorting} onStop={stop} />
      </Sheet>
      <BenchPanel job={job} {...(text === undefined ? { blocked: "Make or choose rows first." } : {})}>
        <Segmented
          label="Result"
          value={into}
          choices={[
            { value: "order", label: "Order of the rows" },
            { value: "bytes", label: "Sorted text" },
          ]}
          onChange={setInto}
        />
      </BenchPanel>
      <p className="soft aside">
        JavaScript decodes, parses and sorts by the same radix sort, and for sorted text writes it all anew. Rows that are
        JavaScript objects already are another matter: there the same algorithm is as fast in JavaScript, and{" "}
        <code>sortRows</code> of <code>@tombolo/web</code> is that.
      </p>
    </>
  );
}

function describe(sorting: Sorting): string {
  if (!("text" in sorting) || sorting.text === undefined) return "";
  const { name, json, rows } = sorting.text;
  const known = sorting.state === "sorted" ? sorting.order.rows : rows;
  return [name, known === undefined ? "" : `${count(known)} rows`, bytesText(json.length)].filter(Boolean).join(", ");
}

/** Keys to offer: those of the first row, once there is one. */
function keysOf(sorting: Sorting): readonly string[] {
  if (sorting.state !== "sorted" || sorting.text.rows !== undefined) return rowKeys;
  return rowsOf(sorting).columns;
}

function rowsOf({ order }: Extract<Sorting, { state: "sorted" }>): { rows: Rows; columns: readonly string[] } {
  const rows: Rows = {
    length: order.rows,
    at: (position) => order.row(position),
    origin: (position) => order.permutation()[position] ?? 0,
  };
  return { rows, columns: order.rows === 0 ? [] : paths(order.row(0), "") };
}

function SortingView({ sorting, onStop }: { sorting: Sorting; onStop: () => void }): JSX.Element {
  switch (sorting.state) {
    case "empty":
      return <p className="placeholder">Make a million rows, or bring your own.</p>;
    case "working":
      return <Working doing={sorting.doing} done={sorting.done} onStop={onStop} />;
    case "stopped":
      return <NoteBox kind="hint" note={{ title: "Stopped", detail: "Nothing was sorted." }} />;
    case "failed":
      return (
        <NoteBox note={sorting.note} kind="error">
          {sorting.note.offset !== undefined && sorting.text !== undefined && (
            <Excerpt bytes={sorting.text.json} offset={sorting.note.offset} />
          )}
        </NoteBox>
      );
    case "sorted":
      return <Sorted sorting={sorting} />;
  }
}

function Sorted({ sorting }: { sorting: Extract<Sorting, { state: "sorted" }> }): JSX.Element {
  const { rows } = useMemo(() => rowsOf(sorting), [sorting]);
  const { by, text, computeMs } = sorting;
  const rate = text.json.length / 1e6 / (computeMs / 1000);
  return (
    <>
      <dl className="dials">
        <Dial label="Rows" value={count(rows.length)} />
        <Dial label="Kernel" {...duration(computeMs)} />
        <Dial label="Text read" value={count(rate)} unit="MB/s" />
      </dl>
      <RowList rows={rows} label={`Rows by ${by.key}, ${by.descending ? "descending" : "ascending"}`} />
    </>
  );
}
