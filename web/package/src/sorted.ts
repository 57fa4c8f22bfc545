import type { Buffer } from "./buffers.js";
import { KernelError } from "./errors.js";
import type { Lane } from "./lane.js";
import type { Order, SortedTables } from "./protocol.js";
import type { KernelBuffer, SortedRows, Work } from "./types.js";

/** Writes rows in order into a new buffer. */
export type WriteSorted = (sorted: Sorted, work: Work | undefined) => Promise<KernelBuffer>;

/** The order of the rows of a buffer, and where each lies in it. */
export class Sorted implements SortedRows {
  readonly rows: number;
  private freed = false;
  /** Writing under way, which needs what the worker holds. */
  private writes = 0;

  constructor(
    readonly json: Buffer,
    readonly order: Order,
    readonly tables: SortedTables,
    /** The worker that holds the sorted array. */
    readonly lane: Lane,
    /** Where the tables' addresses lie. */
    private readonly memory: WebAssembly.Memory | undefined,
    private readonly write: WriteSorted,
  ) {
    this.rows = tables.rows;
  }

  permutation(): Uint32Array {
    return this.table(this.tables.permutation);
  }

  text(position: number): string {
    const row = this.permutation()[position];
    if (row === undefined) {
      throw new KernelError("bad-size", `there is no row at position ${position}: there are ${this.rows}`);
    }
    const [start, end] = [this.table(this.tables.starts)[row], this.table(this.tables.ends)[row]];
    // A copy of this row: text is not decoded from shared memory.
    return new TextDecoder().decode(this.json.peek().slice(start, end));
  }

  row(position: number): unknown {
    return JSON.parse(this.text(position));
  }

  async toBytes(work?: Work): Promise<KernelBuffer> {
    this.alive();
    this.writes += 1;
    try {
      return await this.write(this, work);
    } finally {
      this.writes -= 1;
      if (this.freed) this.forget();
    }
  }

  free(): void {
    if (this.freed) return;
    this.freed = true;
    this.forget();
  }

  [Symbol.dispose](): void {
    this.free();
  }

  /** Once: when it is freed and nothing is written any more. */
  private forget(): void {
    if (this.writes === 0) this.lane.forget(this.tables.handle);
  }

  private table(table: number | Uint32Array): Uint32Array {
    this.alive();
    if (typeof table !== "number") return table;
    if (!this.memory) throw new Error("tables with addresses have a memory");
    return new Uint32Array(this.memory.buffer, table, this.rows);
  }

  private alive(): void {
    if (this.freed) throw new KernelError("freed", "the sorted rows were freed");
  }
}
