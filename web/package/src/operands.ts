import type { DirectKernels } from "./direct.js";
import { KernelError } from "./errors.js";
import type { Operand, Out, SortedTables } from "./protocol.js";

/** Sends a moved operand back to the page. */
type GiveBack = (index: number, buffer: ArrayBuffer) => void;

interface Placed {
  readonly pointer: number;
  readonly bytes: number;
  /** Only of an operand that was moved here: what to free, and to send back. */
  readonly moved?: { readonly buffer: ArrayBuffer; sent: boolean };
}

/**
 * The buffers of one job, inside the kernels' memory while it runs.
 *
 * What lies in shared memory stays where it is. What was moved here is copied in and, if only read,
 * sent back at once: the page has it again while the kernel computes.
 */
export class Operands {
  computeMs = 0;
  copyMs = 0;
  private readonly placed: Placed[] = [];
  private readonly made: { pointer: number; bytes: number }[] = [];

  constructor(
    readonly kernels: DirectKernels,
    private readonly operands: readonly Operand[],
    private readonly abortable: boolean,
    private readonly giveBack: GiveBack,
  ) {}

  /** Where an operand that is only read lies. */
  read(index: number): Placed {
    const placed = this.place(index);
    this.sendBack(index);
    return placed;
  }

  /** Where an operand lies that is written to; {@link written} ends it. */
  change(index: number): Placed {
    const placed = this.place(index);
    if (this.abortable) this.sendBack(index);
    return placed;
  }

  /** Sends the new bytes of an operand to the page. */
  written(index: number): void {
    const { pointer, bytes, moved } = this.placed[index] as Placed;
    if (!moved) return;
    const buffer = this.copy(() => {
      const target = moved.sent ? new ArrayBuffer(bytes) : moved.buffer;
      new Uint8Array(target).set(this.kernels.bytes(pointer, bytes));
      return target;
    });
    moved.sent = true;
    this.giveBack(index, buffer);
  }

  /** Bytes for the job's own use, given back with it. */
  make(bytes: number): number {
    const pointer = this.kernels.alloc(bytes);
    this.made.push({ pointer, bytes });
    return pointer;
  }

  /** Text or numbers for the kernel. */
  put(data: ArrayBufferView): number {
    const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const pointer = this.make(source.byteLength);
    this.kernels.bytes(pointer, source.byteLength).set(source);
    return pointer;
  }

  /** Where the job's result goes. */
  out(out: Out, bytes: number): number {
    return out ?? this.make(bytes);
  }

  /** The result as the page takes it: nothing if it is in shared memory already. */
  outcome(out: Out, pointer: number, bytes: number): { out?: ArrayBuffer } {
    if (out !== undefined) return {};
    return { out: this.copy(() => this.kernels.bytes(pointer, bytes).slice().buffer as ArrayBuffer) };
  }

  /** A table of a sorted array: its address in shared memory, else a copy of it. */
  table(pointer: number, rows: number): SortedTables["starts"] {
    const at = pointer >>> 0;
    if (this.kernels.tier === "threads") return at;
    return this.copy(() => new Uint32Array(this.kernels.memory.buffer as ArrayBuffer, at, rows).slice());
  }

  /** Runs a kernel on the clock. */
  compute<T>(kernel: () => T): T {
    const start = performance.now();
    const answer = kernel();
    this.computeMs += performance.now() - start;
    return answer;
  }

  /** Sends back what the page has not got yet, so that a failed job loses nothing. */
  rescue(): void {
    this.operands.forEach((operand, index) => {
      const placed = this.placed[index];
      if (placed) this.sendBack(index);
      else if ("moved" in operand) this.giveBack(index, operand.moved);
    });
  }

  /** Gives back the kernels' memory. Not after a crash. */
  release(): void {
    for (const { pointer, bytes } of this.made) this.kernels.free(pointer, bytes);
  }

  private place(index: number): Placed {
    const operand = this.operands[index];
    if (!operand) throw new Error(`the job has no operand ${index}`);
    const placed = "moved" in operand ? this.copyIn(operand.moved) : { pointer: operand.at, bytes: operand.bytes };
    this.placed[index] = placed;
    return placed;
  }

  private copyIn(buffer: ArrayBuffer): Placed {
    const bytes = buffer.byteLength;
    const pointer = this.make(bytes);
    this.copy(() => this.kernels.bytes(pointer, bytes).set(new Uint8Array(buffer)));
    return { pointer, bytes, moved: { buffer, sent: false } };
  }

  private sendBack(index: number): void {
    const moved = this.placed[index]?.moved;
    if (!moved || moved.sent) return;
    moved.sent = true;
    this.giveBack(index, moved.buffer);
  }

  /** Moves bytes on the clock. Only JavaScript runs in it: a range that is refused is memory. */
  private copy<T>(move: () => T): T {
    const start = performance.now();
    try {
      return move();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new KernelError("out-of-memory", `no room for a copy: ${error.message}`, { cause: error });
    } finally {
      this.copyMs += performance.now() - start;
    }
  }
}
