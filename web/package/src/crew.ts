import { type Buffer, Budget, MovedBuffer, SharedBuffer, type SharedPlace } from "./buffers.js";
import { PAGE_BYTES } from "./abi.js";
import { SHARED_MEMORY, sharedMemory } from "./direct.js";
import { KernelError, reasonOf } from "./errors.js";
import { Heap } from "./heap.js";
import { type Lane, openLane } from "./lane.js";
import type { Out, Result, Role } from "./protocol.js";
import type { Tier } from "./types.js";

/** The stack of a worker on the shared memory, thread-local variables included. */
const STACK_BYTES = 1 << 20;

/** Room for the buffer that a job makes. */
export interface Reservation {
  readonly out: Out;
  take(result: Result): Buffer;
  cancel(): void;
}

/** Where buffers live, and how lanes that can reach them are opened. */
export interface Crew {
  readonly lanesMax: number;
  /** Opens a lane. `onDeath` is called if it ends without having been told to. */
  open(onDeath: (lane: Lane, error: KernelError) => void): Lane;
  /** Makes sure that lanes reach the buffer's bytes. @throws KernelError */
  admit(buffer: Buffer): void;
  /** @throws KernelError `out-of-memory`. */
  alloc(bytes: number, zeroed: boolean): Buffer;
  /** @throws KernelError `out-of-memory`. */
  reserve(bytes: number): Reservation;
  /** The memory in which addresses that jobs answer lie; none where they answer bytes. */
  readonly memory: WebAssembly.Memory | undefined;
  /** Whether a lane may be ended to stop its job, without harm to other buffers. */
  readonly expendable: boolean;
}

/** Workers, each with a memory of its own; buffers are on the page and move. */
export class AloneCrew implements Crew {
  readonly memory = undefined;
  readonly expendable = true;
  private readonly budget: Budget;

  constructor(
    private readonly tier: Tier,
    private readonly module: Promise<WebAssembly.Module>,
    readonly lanesMax: number,
    memoryBytesMax: number,
  ) {
    this.budget = new Budget(memoryBytesMax);
  }

  open(onDeath: (lane: Lane, error: KernelError) => void): Lane {
    const { tier, module } = this;
    const lane: Lane = openLane({ tier, module, role: "caller" }, (error) => onDeath(lane, error));
    return lane;
  }

  admit(): void {
    // Buffers move to whichever lane has work on them.
  }

  alloc(bytes: number): Buffer {
    return MovedBuffer.make(this.budget, bytes);
  }

  reserve(bytes: number): Reservation {
    this.budget.take(bytes);
    return {
      out: undefined,
      take: ({ out }) => MovedBuffer.adopt(this.budget, out ?? new ArrayBuffer(0)),
      cancel: () => this.budget.give(bytes),
    };
  }
}

/** One lane and its helpers on a memory that the page shares with them. */
export class SharedCrew implements Crew {
  readonly lanesMax = 1;
  readonly expendable = false;
  private place: SharedPlace;
  private entered = false;

  /** @throws KernelError `out-of-memory` if no such memory can be shared. */
  constructor(
    private readonly module: Promise<WebAssembly.Module>,
    private readonly threads: number,
    private readonly memoryBytesMax: number,
    private readonly notes: string[],
  ) {
    this.place = this.newPlace();
  }

  get memory(): WebAssembly.Memory {
    return this.place.memory;
  }

  /**
   * Starts all workers on a memory that no worker has been on: one that crashed may have left locks
   * held in the old one. Buffers move to the new memory when they are next used.
   */
  open(onDeath: (lane: Lane, error: KernelError) => void): Lane {
    if (this.entered) this.place = this.newPlace();
    this.entered = true;
    const start = (role: Role, died: (error: KernelError) => void) =>
      openLane({ tier: "threads", module: this.module, role, ...this.seat() }, died);
    const helpers: Lane[] = [];
    const caller: Lane = start("caller", (error) => onDeath(caller, error));
    caller.onEnd = (error) => helpers.forEach((helper) => helper.end(error));
    try {
      while (helpers.length < this.threads - 1) {
        const helper: Lane = start("helper", (error) => this.lose(helper, caller, error));
        helpers.push(helper);
      }
    } catch (error) {
      this.notes.push(`only ${helpers.length + 1} threads: ${reasonOf(error)}`);
    }
    return caller;
  }

  /** A helper that never joined is missed by nobody; one that did may have taken work with it. */
  private lose(helper: Lane, caller: Lane, error: KernelError): void {
    if (helper.started) caller.die(error.message);
    else this.notes.push(`one thread less: ${error.message}`);
  }

  admit(buffer: Buffer): void {
    if (buffer instanceof SharedBuffer) buffer.moveTo(this.place);
  }

  alloc(bytes: number, zeroed: boolean): Buffer {
    return SharedBuffer.make(this.place, bytes, zeroed);
  }

  reserve(bytes: number): Reservation {
    const buffer = SharedBuffer.make(this.place, bytes, false);
    return { out: buffer.at, take: () => buffer, cancel: () => buffer.free() };
  }

  /** What a worker needs to enter the memory: its own stack is part of it. */
  private seat(): { memory: WebAssembly.Memory; stack: { at: number; bytes: number } } {
    const stack = this.place.heap.allocate(STACK_BYTES);
    if (!stack) throw new KernelError("out-of-memory", "no room for a worker's stack (`memoryBytesMax`)");
    return { memory: this.place.memory, stack };
  }

  private newPlace(): SharedPlace {
    const pages = Math.min(SHARED_MEMORY.maximumPages, Math.ceil(this.memoryBytesMax / PAGE_BYTES));
    const memory = sharedMemory(pages);
    const heap = new Heap((bytes) => {
      try {
        return memory.grow(bytes / PAGE_BYTES) * PAGE_BYTES;
      } catch {
        return undefined; // At its maximum, or the system has no more: the caller says which bytes.
      }
    });
    return { memory, heap };
  }
}
