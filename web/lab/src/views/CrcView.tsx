import { useEffect, useMemo, useRef, useState, type JSX } from "react";
import { contenderIds, type ContenderId } from "../bench/experiment.ts";
import { isAbort, noteOf, type Note } from "../bench/note.ts";
import { BenchPanel } from "../components/BenchPanel.tsx";
import { Drop } from "../components/Drop.tsx";
import { Dial, NoteBox, Segmented, Sheet, ViewHead, Working } from "../components/parts.tsx";
import { contenderNames } from "../contenders/labels.ts";
import { crcExperiment } from "../experiments/crc.ts";
import { randomBytes } from "../inputs/random.ts";
import { useLab, type Job } from "../lab.tsx";
import { checksumOf, type Checksum } from "../live/checksum.ts";
import { bytesText, duration, significant } from "../results/format.ts";

/** One file's way through one implementation. */
type Streaming =
  | { readonly state: "idle" }
  | { readonly state: "running"; readonly file: File; readonly by: ContenderId; readonly done: number }
  | { readonly state: "done"; readonly file: File; readonly by: ContenderId; readonly checksum: Checksum }
  | { readonly state: "stopped"; readonly file: File }
  | { readonly state: "failed"; readonly file: File; readonly note: Note };

const mebibytes = [16, 64, 256] as const;
/** Of a dropped file, this much is read into memory to be measured on. */
const measuredBytesMax = 256 << 20;

/** A checksum of a file of any size, and of bytes in memory. */
export function CrcView(): JSX.Element {
  const { streaming, start, stop } = useStreaming();
  const [by, setBy] = useBestContender();
  const [size, setSize] = useState<number>(64);
  const [from, setFrom] = useState<"generated" | "file">("generated");
  const file = streaming.state === "idle" ? undefined : streaming.file;
  const job: Job = useMemo(
    () => ({
      kernel: "crc",
      experiment: async () =>
        crcExperiment(
          from === "file" && file !== undefined
            ? new Uint8Array(await file.slice(0, measuredBytesMax).arrayBuffer())
            : randomBytes(size << 20, 5),
        ),
    }),
    [from, file, size],
  );
  return (
    <>
      <ViewHead title="CRC-32">
        The checksum of zip and PNG. A file of gigabytes streams through in flat memory; bytes in memory are measured
        beside it.
      </ViewHead>
      <Sheet title="A file, streamed" aside={<p className="soft">{file && `${file.name}, ${bytesText(file.size)}`}</p>}>
        <Segmented
          label="Computed by"
          value={by}
          choices={contenderIds.map((value) => ({ value, label: contenderNames[value] }))}
          onChange={setBy}
        />
        <Drop
          label="Choose a file"
          hint="Or drop one here, of any size. It stays on this machine unless the edge computes."
          onFile={(chosen) => start(chosen, by)}
        >
          {file !== undefined && streaming.state !== "running" && (
            <button type="button" className="button" onClick={() => start(file, by)}>
              Again
            </button>
          )}
        </Drop>
        <StreamingView streaming={streaming} onStop={stop} />
      </Sheet>
      <BenchPanel job={job}>
        <Segmented
          label="Bytes in memory"
          value={from === "file" ? "file" : size}
          choices={[
            ...mebibytes.map((value) => ({ value, label: `${value} MiB, generated` })),
            { value: "file", label: `The file, up to ${bytesText(measuredBytesMax)}`, disabled: file === undefined },
          ]}
          onChange={(value: number | "file") => {
            setFrom(value === "file" ? "file" : "generated");
            if (value !== "file") setSize(value);
          }}
        />
      </BenchPanel>
    </>
  );
}

/** The best tier here, until another one is chosen. */
function useBestContender(): [ContenderId, (by: ContenderId) => void] {
  const { probe } = useLab();
  const [picked, setPicked] = useState<ContenderId>();
  return [picked ?? (probe.state === "known" ? probe.kernels.tier : "baseline"), setPicked];
}

function useStreaming(): { streaming: Streaming; start: (file: File, by: ContenderId) => void; stop: () => void } {
  const [streaming, setStreaming] = useState<Streaming>({ state: "idle" });
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = (file: File, by: ContenderId): void => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const tell = (next: Streaming): void => {
      if (running.current === controller) setStreaming(next);
    };
    const onProgress = (done: number): void => tell({ state: "running", file, by, done });
    onProgress(0);
    checksumOf(file, by, { signal: controller.signal, onProgress }).then(
      (checksum) => tell({ state: "done", file, by, checksum }),
      (error: unknown) => {
        const stopped = controller.signal.aborted || isAbort(error);
        tell(stopped ? { state: "stopped", file } : { state: "failed", file, note: noteOf(error) });
      },
    );
  };
  return { streaming, start, stop: () => running.current?.abort() };
}

function StreamingView({ streaming, onStop }: { streaming: Streaming; onStop: () => void }): JSX.Element {
  switch (streaming.state) {
    case "idle":
      return <p className="soft">No file yet.</p>;
    case "running": {
      const bytes = bytesText(streaming.done * streaming.file.size);
      return (
        <Working
          doing={`${contenderNames[streaming.by]}: ${bytes} of ${bytesText(streaming.file.size)}`}
          done={streaming.done}
          onStop={onStop}
        />
      );
    }
    case "stopped":
      return <NoteBox kind="hint" note={{ title: "Stopped", detail: "The file was not read to its end." }} />;
    case "failed":
      return <NoteBox kind="error" note={streaming.note} />;
    case "done": {
      const { checksum, file, by } = streaming;
      return (
        <dl className="dials">
          <Dial label={`CRC-32 by ${contenderNames[by]}`} value={checksum.crc} />
          <Dial label="Read and summed" {...duration(checksum.wallMs)} />
          <Dial label="Throughput" value={significant(file.size / 1e6 / checksum.wallMs)} unit="GB/s" />
        </dl>
      );
    }
  }
}
