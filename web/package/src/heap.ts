import { ALIGN, PAGE_BYTES } from "./abi.js";

/** The least that the memory grows by, so that many small buffers do not mean many growths. */
const GROWTH_BYTES_MIN = 1 << 20;

/** Bytes that were handed out. */
export interface Block {
  readonly at: number;
  readonly bytes: number;
  /** Whether nobody has written to it since the memory grew: it is zero. */
  readonly fresh: boolean;
}

interface Span {
  at: number;
  bytes: number;
}

/** Grows a memory by so many bytes, whole pages; the offset of the new ones, or nothing if it is full. */
export type Grow = (bytes: number) => number | undefined;

/**
 * The page's own allocator over a memory that it shares with workers.
 *
 * The allocator inside the module takes a lock, and the page may not wait for one. So the page never
 * calls it: it grows the memory itself, which is atomic and never waits, and hands out what it got
 * that way. Workers use such blocks but never allocate or free them, so this needs no lock at all.
 * The price: what one of the two allocators has given back, the other cannot use.
 *
 * First fit, free spans in the order of their addresses, neighbours joined.
 */
export class Heap {
  private readonly free: Span[] = [];
  private used = 0;

  constructor(private readonly grow: Grow) {}

  /** Bytes that are handed out, rounding included. */
  get usedBytes(): number {
    return this.used;
  }

  /** A block of at least so many bytes, aligned to {@link ALIGN}; nothing if the memory is full. */
  allocate(wanted: number): Block | undefined {
    const bytes = Math.max(ALIGN, Math.ceil(wanted / ALIGN) * ALIGN);
    const found = this.free.findIndex((span) => span.bytes >= bytes);
    const fresh = found < 0;
    const index = fresh ? this.enlarge(bytes) : found;
    const span = index === undefined ? undefined : this.free[index];
    if (index === undefined || !span) return undefined;
    const block = { at: span.at, bytes, fresh };
    span.at += bytes;
    span.bytes -= bytes;
    if (span.bytes === 0) this.free.splice(index, 1);
    this.used += bytes;
    return block;
  }

  /** Takes a block back. Each at most once. */
  release(block: Block): void {
    this.used -= block.bytes;
    this.insert({ at: block.at, bytes: block.bytes });
  }

  /** Grows the memory for a block of so many bytes; the index of the free span that now holds it. */
  private enlarge(bytes: number): number | undefined {
    const pages = (least: number) => Math.ceil(least / PAGE_BYTES) * PAGE_BYTES;
    // Where the rounded growth no longer fits, the exact one still may.
    for (const growth of new Set([pages(Math.max(bytes, GROWTH_BYTES_MIN)), pages(bytes)])) {
      const at = this.grow(growth);
      // A span of its own even if a free one ends here: what was written to before is not fresh.
      if (at !== undefined) return this.place({ at, bytes: growth });
    }
    return undefined;
  }

  private place(span: Span): number {
    const after = this.free.findIndex((other) => other.at > span.at);
    const index = after < 0 ? this.free.length : after;
    this.free.splice(index, 0, span);
    return index;
  }

  private insert(span: Span): void {
    const index = this.place(span);
    this.join(index);
    this.join(index - 1);
  }

  /** Joins a free span with its right neighbour if they touch. */
  private join(index: number): void {
    const [left, right] = [this.free[index], this.free[index + 1]];
    if (!left || !right || left.at + left.bytes !== right.at) return;
    left.bytes += right.bytes;
    this.free.splice(index + 1, 1);
  }
}
