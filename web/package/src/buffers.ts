import { KernelError } from "./errors.js";
import type { Block, Heap } from "./heap.js";
import type { Operand } from "./protocol.js";
import type { KernelBuffer } from "./types.js";

/** Copies between memories go in pieces, so that the page may draw in between. */
export const PIECE_BYTES = 4 << 20;

/**
 * What buffers of both kinds have in common: who has them now.
 *
 * A buffer is *used* from when work is given until it has settled, and *taken* while a worker
 * computes on it: work on one buffer runs one after the other, in the order in which it was given.
 */
export abstract class Buffer implements KernelBuffer {
  private uses = 0;
  private freed = false;
  /** Why the bytes are gone although nobody freed them. */
  private lost: KernelError | undefined;
  /** Whether a worker computes on it now. */
  taken = false;

  constructor(readonly byteLength: number) {}

  abstract readonly zeroCopy: boolean;
  /** The bytes for a worker, and what to transfer with them. */
  abstract operand(): { readonly operand: Operand; readonly transfer: readonly ArrayBuffer[] };
  /** The bytes themselves, whoever has the buffer. @throws KernelError if they are gone. */
  abstract view(): Uint8Array;
  /** Gives the memory back. Called once. */
  protected abstract drop(): void;

  bytes(): Uint8Array {
    this.idle();
    return this.view();
  }

  pixels(): Uint8ClampedArray {
    const view = this.bytes();
    return new Uint8ClampedArray(view.buffer, view.byteOffset, view.byteLength);
  }

  floats(): Float32Array {
    const view = this.bytes();
    return new Float32Array(view.buffer, view.byteOffset, this.elements(4));
  }

  doubles(): Float64Array {
    const view = this.bytes();
    return new Float64Array(view.buffer, view.byteOffset, this.elements(8));
  }

  /** While work has it, the memory is given back when that work has settled. */
  free(): void {
    if (this.freed) return;
    this.freed = true;
    if (this.uses === 0) this.drop();
  }

  [Symbol.dispose](): void {
    this.free();
  }

  /** The bytes to read while other work may read them too. @throws KernelError `freed`, `busy`. */
  peek(): Uint8Array {
    this.alive();
    return this.view();
  }

  /** Work was given that has the buffer. @throws KernelError `freed`, or why the bytes are gone. */
  use(): void {
    this.alive();
    this.uses += 1;
  }

  /** That work has settled. */
  unuse(): void {
    this.uses -= 1;
    if (this.uses === 0 && this.freed) this.drop();
  }

  /** The bytes are gone: whoever asks for them hears why. */
  lose(why: KernelError): void {
    this.lost = why;
  }

  /** @throws KernelError why the bytes are gone. */
  protected present(): void {
    if (this.lost) throw this.lost;
  }

  private alive(): void {
    if (this.freed) throw new KernelError("freed", "the buffer was freed");
    this.present();
  }

  private idle(): void {
    this.alive();
    if (this.uses > 0) throw new KernelError("busy", "work has the buffer: wait for its promise");
  }

  private elements(bytes: number): number {
    if (this.byteLength % bytes === 0) return this.byteLength / bytes;
    throw new KernelError("bad-size", `${this.byteLength} bytes are not whole numbers of ${bytes} bytes`);
  }
}

/** How many bytes buffers may take where nothing else bounds them. */
export class Budget {
  private used = 0;

  constructor(private readonly bytesMax: number) {}

  /** @throws KernelError `out-of-memory`. */
  take(bytes: number): void {
    if (this.used + bytes > this.bytesMax) {
      const left = this.bytesMax - this.used;
      throw new KernelError(
        "out-of-memory",
        `no room for ${bytes} bytes: ${left} of ${this.bytesMax} are left (\`memoryBytesMax\`)`,
      );
    }
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A buffer on the page: moved to a worker and back, and copied there into its memory. */
export class MovedBuffer extends Buffer {
  readonly zeroCopy = false;

  private constructor(
    private readonly budget: Budget,
    private held: ArrayBuffer | undefined,
    bytes: number,
  ) {
    super(bytes);
  }

  /** Zeroed bytes. @throws KernelError `out-of-memory`. */
  static make(budget: Budget, bytes: number): MovedBuffer {
    budget.take(bytes);
    try {
      return new MovedBuffer(budget, new ArrayBuffer(bytes), bytes);
    } catch (error) {
      budget.give(bytes);
      throw new KernelError("out-of-memory", `the browser has no room for ${bytes} bytes`, { cause: error });
    }
  }

  /** Bytes that a worker made; the budget was asked before. */
  static adopt(budget: Budget, held: ArrayBuffer): MovedBuffer {
    return new MovedBuffer(budget, held, held.byteLength);
  }

  operand() {
    const moved = this.whole();
    this.held = undefined;
    return { operand: { moved }, transfer: [moved] };
  }

  view(): Uint8Array {
    return new Uint8Array(this.whole());
  }

  /** Whether the page has the bytes. */
  get here(): boolean {
    return this.held !== undefined;
  }

  /** The bytes came back, perhaps changed. */
  restore(buffer: ArrayBuffer): void {
    this.held = buffer;
  }

  protected drop(): void {
    this.held = undefined;
    this.budget.give(this.byteLength);
  }

  private whole(): ArrayBuffer {
    this.present();
    if (!this.held && this.taken) throw new KernelError("busy", "work has the buffer, and its bytes");
    // Somebody may have transferred the bytes that a view gave away.
    if (!this.held || detached(this.held) || this.held.byteLength !== this.byteLength) {
      throw new KernelError("freed", "the buffer's bytes were transferred away");
    }
    return this.held;
  }
}

/** Whether bytes were transferred away. Engines that cannot say it show it by a length of 0. */
export function detached(buffer: ArrayBufferLike): boolean {
  return (buffer as ArrayBuffer & { readonly detached?: boolean }).detached ?? false;
}

/** A memory that page and workers share, with the page's allocator in it. */
export interface SharedPlace {
  readonly memory: WebAssembly.Memory;
  readonly heap: Heap;
}

/** A buffer in the kernels' own memory: nothing ever copies it. */
export class SharedBuffer extends Buffer {
  readonly zeroCopy = true;

  private constructor(
    private place: SharedPlace,
    private block: Block,
    bytes: number,
  ) {
    super(bytes);
  }

  /** @throws KernelError `out-of-memory`. The bytes are zero only if asked for. */
  static make(place: SharedPlace, bytes: number, zeroed: boolean): SharedBuffer {
    const block = allocate(place, bytes);
    const made = new SharedBuffer(place, block, bytes);
    if (zeroed && !block.fresh) made.view().fill(0);
    return made;
  }

  operand() {
    return { operand: { at: this.block.at, bytes: this.byteLength }, transfer: [] };
  }

  /** Where it lies in the memory. */
  get at(): number {
    return this.block.at;
  }

  view(): Uint8Array {
    // Fresh each time: after growth, older views end where the memory used to.
    return new Uint8Array(this.place.memory.buffer, this.block.at, this.byteLength);
  }

  /** Moves the bytes to another memory, if they are not there: theirs has lost its workers. */
  moveTo(place: SharedPlace): void {
    if (this.place === place) return;
    const block = allocate(place, this.byteLength);
    new Uint8Array(place.memory.buffer, block.at, this.byteLength).set(this.view());
    // The old heap goes with its memory; its other buffers are moved when they are next used.
    [this.place, this.block] = [place, block];
  }

  protected drop(): void {
    this.place.heap.release(this.block);
  }
}

function allocate({ heap, memory }: SharedPlace, bytes: number): Block {
  const block = heap.allocate(bytes);
  if (block) return block;
  throw new KernelError(
    "out-of-memory",
    `no room for ${bytes} bytes: buffers take ${heap.usedBytes} of a shared memory of now ` +
      `${memory.buffer.byteLength} (\`memoryBytesMax\`)`,
  );
}
