import { KernelError, reasonOf } from "./errors.js";
import type { Failure, FromWorker, Job, Operand, Result, Start } from "./protocol.js";
import type { Timing } from "./types.js";

/** A worker that does not say that it runs by then is taken for broken. */
const START_MS_MAX = 30_000;

/** What a job needs of a lane while it runs. */
export interface JobEvents {
  onProgress?: ((fraction: number) => void) | undefined;
  onOperand(index: number, buffer: ArrayBuffer): void;
}

export interface JobMessage {
  readonly job: Job;
  readonly operands: readonly Operand[];
  readonly transfer: readonly ArrayBuffer[];
  readonly abortable: boolean;
}

export interface Outcome {
  readonly result: Result;
  readonly timing: Timing;
}

interface Running extends JobEvents {
  readonly id: number;
  resolve(outcome: Outcome): void;
  reject(error: KernelError): void;
}

/** What a worker starts with; the module may still be compiling. */
export type LaneStart = Omit<Start, "kind" | "control" | "module"> & { readonly module: Promise<WebAssembly.Module> };

/** One worker, which runs one job at a time. */
export class Lane {
  /** Settles when the worker can take jobs, or has failed to start. */
  readonly ready: Promise<void>;
  /** Called when the worker ends, for whatever reason. */
  onEnd: ((error: KernelError) => void) | undefined;
  private readonly worker: Worker;
  private readonly control: Int32Array | undefined;
  private running: Running | undefined;
  private died: KernelError | undefined;
  private hasStarted = false;
  private jobs = 0;
  private settle!: { resolve(): void; reject(error: KernelError): void };

  /** @param onDeath called once if the worker ends without having been told to. */
  constructor(
    start: LaneStart,
    private readonly onDeath: (error: KernelError) => void,
  ) {
    this.ready = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // Whoever starts a lane waits for it, but perhaps not before it has failed.
    this.ready.catch(() => {});
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "tombolo" });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.die(event.message || "its program could not be loaded");
    };
    this.worker.onmessageerror = () => this.die("a message could not be read");
    const control = shared() ? new SharedArrayBuffer(4) : undefined;
    this.control = control && new Int32Array(control);
    const late = setTimeout(() => this.die(`it did not start within ${START_MS_MAX} ms`), START_MS_MAX);
    void this.ready.catch(() => {}).then(() => clearTimeout(late));
    const { module, ...rest } = start;
    // The worker's program is loaded meanwhile.
    module.then(
      (module) => {
        try {
          this.worker.postMessage({ kind: "start", module, ...rest, ...(control ? { control } : {}) } satisfies Start);
        } catch (error) {
          this.die(`it cannot be sent the module: ${reasonOf(error)}`);
        }
      },
      (error: KernelError) => this.end(error),
    );
  }

  get idle(): boolean {
    return !this.running && !this.died;
  }

  get started(): boolean {
    return this.hasStarted;
  }

  get dead(): boolean {
    return this.died !== undefined;
  }

  /** Runs a job on the idle worker. */
  run({ job, operands, transfer, abortable }: JobMessage, events: JobEvents): Promise<Outcome> {
    if (this.died) return Promise.reject(this.died);
    if (this.running) throw new Error("a lane runs one job at a time");
    this.jobs += 1;
    const id = this.jobs;
    if (this.control) Atomics.store(this.control, 0, 0);
    return new Promise((resolve, reject) => {
      this.running = { id, resolve, reject, ...events };
      const progress = events.onProgress !== undefined;
      try {
        this.worker.postMessage({ kind: "job", id, job, operands, abortable, progress }, [...transfer]);
      } catch (error) {
        // Nothing was sent: the worker is as idle as before.
        this.running = undefined;
        reject(new KernelError("freed", `the work's bytes cannot be sent: ${reasonOf(error)}`, { cause: error }));
      }
    });
  }

  /** Asks the running job to end, where that can be asked. */
  askToStop(): void {
    if (this.control) Atomics.store(this.control, 0, 1);
  }

  /** Lets go of a sorted array, after what the worker computes now. */
  forget(handle: number): void {
    if (!this.died) this.worker.postMessage({ kind: "forget", handle });
  }

  /** Ends the worker at once; its job rejects with the error. */
  end(error: KernelError): void {
    if (this.died) return;
    this.died = error;
    this.worker.terminate();
    this.settle.reject(error);
    this.running?.reject(error);
    this.running = undefined;
    this.onEnd?.(error);
  }

  /** Ends the worker because something went wrong with it, and says so. */
  die(message: string): void {
    if (this.died) return;
    const error = new KernelError("crashed", `a worker has ended: ${message}`);
    this.end(error);
    this.onDeath(error);
  }

  private hear(message: FromWorker): void {
    if (this.died) return;
    switch (message.kind) {
      case "ready":
        this.hasStarted = true;
        this.settle.resolve();
        return;
      case "unready":
        this.die(message.failure.message);
        return;
      default:
        if (this.running?.id === message.id) this.follow(this.running, message);
    }
  }

  private follow(running: Running, message: Extract<FromWorker, { id: number }>): void {
    switch (message.kind) {
      case "progress":
        running.onProgress?.(message.fraction);
        return;
      case "operand":
        running.onOperand(message.index, message.buffer);
        return;
      case "done":
        this.running = undefined;
        running.resolve({ result: message.result, timing: message.timing });
        return;
      case "failed":
        this.fail(running, message.failure);
    }
  }

  private fail(running: Running, failure: Failure): void {
    const { code, message, offset } = failure;
    if (code === "crashed") {
      this.die(message);
      return;
    }
    this.running = undefined;
    running.reject(new KernelError(code, message, { offset }));
  }
}

function shared(): boolean {
  return typeof SharedArrayBuffer !== "undefined" && globalThis.crossOriginIsolated !== false;
}

/** Makes a lane; a browser that refuses the worker at once is one that could not start. */
export function openLane(start: LaneStart, onDeath: (error: KernelError) => void): Lane {
  try {
    return new Lane(start, onDeath);
  } catch (error) {
    throw new KernelError("load", `cannot start a worker: ${reasonOf(error)}`, { cause: error });
  }
}
