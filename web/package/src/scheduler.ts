import { type Buffer, MovedBuffer } from "./buffers.js";
import type { Crew, Reservation } from "./crew.js";
import { aborted, KernelError, reasonOf, tell } from "./errors.js";
import type { Lane, Outcome } from "./lane.js";
import type { Job } from "./protocol.js";
import type { Work } from "./types.js";

/** How long a job that was aborted may take to stop by itself. */
const ABORT_MS_MAX = 100;
/** So many starts may fail in a row before those who wait are told. */
const FAILED_STARTS_MAX = 2;

/** A piece of work, before it has a lane. */
export interface Request {
  readonly buffers: readonly Buffer[];
  readonly work: Work | undefined;
  /** The lane it should run on, as long as that lives. */
  readonly lane?: Lane | undefined;
  /** Called when it starts. @throws KernelError which ends it. */
  prepare(lane: Lane): { readonly job: Job; readonly reservation?: Reservation };
}

export interface Finished extends Outcome {
  readonly lane: Lane;
  /** The buffer that the job has made, if it makes one. */
  readonly made: Buffer | undefined;
}

interface Entry {
  readonly request: Request;
  resolve(finished: Finished): void;
  reject(error: unknown): void;
  /** What an abort does: it changes when the work starts. */
  abort(): void;
}

/** Gives work to lanes: in order, but past work that waits for a buffer. */
export class Scheduler {
  private queue: Entry[] = [];
  private readonly lanes = new Set<Lane>();
  private lanesMax: number;
  private failedStarts = 0;
  /** Why no lane could be opened, the last time. */
  private refusal: unknown;
  private closed: KernelError | undefined;

  constructor(
    private readonly crew: Crew,
    private readonly notes: string[],
  ) {
    this.lanesMax = crew.lanesMax;
  }

  /** Opens the first lane. @throws KernelError `load` if it does not start. */
  async start(): Promise<void> {
    const lane = this.open();
    try {
      if (!lane) throw this.refusal;
      await lane.ready;
    } catch (error) {
      if (error instanceof KernelError && error.code === "load") throw error;
      throw new KernelError("load", `the kernels' worker did not start: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Settles when the work has, or was aborted. */
  run(request: Request): Promise<Finished> {
    const { signal } = request.work ?? {};
    if (this.closed) return Promise.reject(this.closed);
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const used: Buffer[] = [];
    try {
      for (const buffer of request.buffers) {
        buffer.use();
        used.push(buffer);
      }
    } catch (error) {
      for (const buffer of used) buffer.unuse();
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const entry: Entry = { request, resolve, reject, abort: () => this.withdraw(entry) };
      const abort = () => entry.abort();
      signal?.addEventListener("abort", abort);
      const settled = () => signal?.removeEventListener("abort", abort);
      entry.resolve = (finished) => (settled(), resolve(finished));
      entry.reject = (error) => (settled(), reject(error));
      this.queue.push(entry);
      this.pump();
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = new KernelError("closed", "the kernels were closed");
    this.failQueue(this.closed);
    for (const lane of this.lanes) lane.end(this.closed);
    this.lanes.clear();
  }

  /** Whether work is still taken. @throws KernelError `closed`. */
  check(): void {
    if (this.closed) throw this.closed;
  }

  /** Starts what can start, and opens a lane if more could. */
  private pump(): void {
    const claimed = new Set<Buffer>();
    let waiting = 0;
    for (const entry of [...this.queue]) {
      const { buffers } = entry.request;
      const blocked = buffers.some((buffer) => buffer.taken || claimed.has(buffer));
      const lane = blocked ? undefined : this.laneFor(entry.request);
      if (lane) {
        this.queue = this.queue.filter((other) => other !== entry);
        this.begin(entry, lane);
        continue;
      }
      for (const buffer of buffers) claimed.add(buffer);
      if (!blocked) waiting += 1;
    }
    const starting = [...this.lanes].filter((lane) => !lane.started).length;
    if (waiting > starting && this.lanes.size < this.lanesMax && !this.closed) this.open();
  }

  private laneFor({ lane }: Request): Lane | undefined {
    if (lane && !lane.dead) return lane.idle ? lane : undefined;
    return [...this.lanes].find((lane) => lane.started && lane.idle);
  }

  private open(): Lane | undefined {
    let lane: Lane;
    try {
      lane = this.crew.open((dead, error) => this.bury(dead, error));
    } catch (error) {
      this.refusal = error;
      this.failStart(error);
      this.pump();
      return undefined;
    }
    this.lanes.add(lane);
    lane.ready.then(
      () => {
        if (!this.lanes.has(lane)) return;
        this.failedStarts = 0;
        this.pump();
      },
      () => {}, // `bury` hears of it.
    );
    return lane;
  }

  /** A lane has ended by itself: its job was told, those who wait may need another. */
  private bury(lane: Lane, error: KernelError): void {
    if (!this.lanes.delete(lane)) return;
    if (!lane.started) this.failStart(error);
    else this.notes.push(`${error.message}; it was replaced`);
    this.pump();
  }

  private failStart(error: unknown): void {
    this.failedStarts += 1;
    if (this.lanes.size > 0) {
      // Those that live are enough.
      this.lanesMax = this.lanes.size;
      this.notes.push(`only ${this.lanesMax} workers: ${reasonOf(error)}`);
    } else if (this.failedStarts >= FAILED_STARTS_MAX) {
      this.failedStarts = 0;
      this.failQueue(new KernelError("crashed", `no worker starts: ${reasonOf(error)}`, { cause: error }));
    }
  }

  private failQueue(error: KernelError): void {
    const queue = this.queue;
    this.queue = [];
    for (const entry of queue) this.drop(entry, error);
  }

  /** Ends an entry that has not started. */
  private drop(entry: Entry, error: unknown): void {
    for (const buffer of entry.request.buffers) buffer.unuse();
    entry.reject(error);
  }

  /** The entry is aborted while it waits. */
  private withdraw(entry: Entry): void {
    this.queue = this.queue.filter((other) => other !== entry);
    this.drop(entry, aborted(entry.request.work?.signal));
    this.pump();
  }

  private begin(entry: Entry, lane: Lane): void {
    const { request } = entry;
    const { buffers, work } = request;
    let prepared: ReturnType<Request["prepare"]>;
    try {
      for (const buffer of buffers) {
        this.crew.admit(buffer);
        buffer.view(); // Throws for bytes that are gone, before any are moved.
      }
      prepared = request.prepare(lane);
    } catch (error) {
      this.drop(entry, error);
      return;
    }
    const { job, reservation } = prepared;
    const operands = buffers.map((buffer) => buffer.operand());
    for (const buffer of buffers) buffer.taken = true;
    const stop = this.stopper(entry, lane);
    const run = lane.run(
      {
        job,
        operands: operands.map(({ operand }) => operand),
        transfer: operands.flatMap(({ transfer }) => transfer),
        abortable: work?.signal !== undefined,
      },
      {
        onProgress: work?.onProgress && ((fraction) => !work.signal?.aborted && tell(work.onProgress, fraction)),
        onOperand: (index, bytes) => (buffers[index] as MovedBuffer).restore(bytes),
      },
    );
    const end = (error?: KernelError) => {
      stop();
      this.giveBack(buffers, error);
      if (error || work?.signal?.aborted) reservation?.cancel();
    };
    run.then(
      (outcome) => {
        end();
        if (work?.signal?.aborted) {
          if (outcome.result.sorted) lane.forget(outcome.result.sorted.handle);
          entry.reject(aborted(work.signal));
        } else {
          tell(work?.onTiming, outcome.timing);
          entry.resolve({ ...outcome, lane, made: reservation?.take(outcome.result) });
        }
        this.pump();
      },
      (error: KernelError) => {
        end(error);
        entry.reject(work?.signal?.aborted ? aborted(work.signal) : error);
        this.pump();
      },
    );
  }

  private giveBack(buffers: readonly Buffer[], error: KernelError | undefined): void {
    for (const buffer of buffers) {
      buffer.taken = false;
      if (buffer instanceof MovedBuffer && !buffer.here) {
        buffer.lose(error ?? new KernelError("crashed", "a worker did not send the buffer back"));
      }
      buffer.unuse();
    }
  }

  /** Says what an abort of the started entry does; the answer takes that back. */
  private stopper(entry: Entry, lane: Lane): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = () => {
      const { signal } = entry.request.work ?? {};
      // What is lost with the worker is waited for: it comes before the job computes.
      const moved = entry.request.buffers.some((buffer) => buffer instanceof MovedBuffer && !buffer.here);
      if (!this.crew.expendable) {
        // The others' buffers live where this job computes: it is left to end, and nobody waits for it.
        entry.reject(aborted(signal));
      } else if (moved) {
        timer = setTimeout(late, ABORT_MS_MAX);
      } else {
        this.lanes.delete(lane);
        lane.end(aborted(signal));
      }
    };
    entry.abort = () => {
      lane.askToStop();
      timer = setTimeout(late, ABORT_MS_MAX);
    };
    return () => {
      clearTimeout(timer);
      entry.abort = () => {};
    };
  }
}
