import { PIXEL_BYTES } from "./abi.js";
import { Budget, Buffer, MovedBuffer, PIECE_BYTES } from "./buffers.js";
import type { Crew } from "./crew.js";
import { aborted, KernelError, tell } from "./errors.js";
import type { Job, Out } from "./protocol.js";
import type { Finished, Scheduler } from "./scheduler.js";
import { Sorted } from "./sorted.js";
import { fill, gather, inMemory, pieces, still, viewOf } from "./source.js";
import type * as api from "./types.js";

type Crc32Source = Parameters<api.Kernels["crc32"]>[0];

/** What a worker may be told at once: `usize` in wasm. */
const BYTES_MAX = 0xffff_ffff;
/** The last that fits 64 bits. */
const FIBONACCI_MAX = 93;

/** Kernels behind workers: checks what is asked for, and gives it to the scheduler. */
export class WorkerKernels implements api.Kernels {
  /** Pieces of streams are bounded by their size, not by what buffers may take. */
  private readonly pieces = new Budget(Number.POSITIVE_INFINITY);
  /** Those of other kernels lie where these workers cannot reach them, and wait for other work. */
  private readonly buffers = new WeakSet<Buffer>();

  constructor(
    readonly environment: api.Environment,
    private readonly crew: Crew,
    private readonly scheduler: Scheduler,
  ) {}

  alloc(bytes: number): api.KernelBuffer {
    return this.room(bytes, true);
  }

  async from(data: api.Source, work: api.Work = {}): Promise<api.KernelBuffer> {
    const { signal, onProgress } = work;
    if (signal?.aborted) throw aborted(signal);
    if (!inMemory(data)) {
      const buffer = await gather(pieces(data, signal), (bytes) => this.room(bytes, false), onProgress);
      tell(onProgress, 1);
      return buffer;
    }
    const source = viewOf(data);
    const buffer = this.room(source.byteLength, false);
    try {
      await fill(buffer, source, signal, onProgress);
    } catch (error) {
      buffer.free();
      throw error;
    }
    tell(onProgress, 1);
    return buffer;
  }

  async blur(pixels: api.KernelBuffer, how: api.BlurOptions): Promise<void> {
    const buffer = this.own(pixels, "pixels");
    const { width, height } = how;
    image(buffer, how);
    const sigma = strength(how);
    await this.give([buffer], how, () => ({ op: "blur", width, height, sigma }));
  }

  async resize(pixels: api.KernelBuffer, how: api.ResizeOptions): Promise<api.KernelBuffer> {
    const buffer = this.own(pixels, "pixels");
    const { width, height } = how;
    image(buffer, how);
    const to = size(how.to, "to");
    const bytes = product("to", to.width, to.height, PIXEL_BYTES);
    return this.make([buffer], how, bytes, (out) => ({ op: "resize", width, height, to, out }));
  }

  async preprocess(pixels: api.KernelBuffer, how: api.PreprocessOptions): Promise<api.KernelBuffer> {
    const buffer = this.own(pixels, "pixels");
    const { width, height } = how;
    image(buffer, how);
    const to = size(how.to, "to");
    const mean = triple(how.mean ?? [0, 0, 0], "mean");
    const std = triple(how.std ?? [1, 1, 1], "std");
    if (std.some((value) => value <= 0)) throw new KernelError("bad-number", "`std` must be above 0");
    const bytes = product("to", to.width, to.height, 3 * Float32Array.BYTES_PER_ELEMENT);
    return this.make([buffer], how, bytes, (out) => ({ op: "preprocess", width, height, to, mean, std, out }));
  }

  async sortJson(json: api.KernelBuffer, how: api.SortJsonOptions): Promise<api.SortedRows> {
    const buffer = this.own(json, "json");
    if (typeof how.key !== "string" || how.key === "") {
      throw new KernelError("bad-key", "`key` must be the name of a member, or a path of names: `a.b`");
    }
    const order = { key: how.key, descending: how.descending ?? false };
    const { result, lane } = await this.give([buffer], how, () => ({ op: "sort", ...order }));
    if (!result.sorted) throw new KernelError("crashed", "a worker answered a sort without an order");
    const { memory } = this.crew;
    return new Sorted(buffer, order, result.sorted, lane, memory, (sorted, work) => this.write(sorted, work));
  }

  async crc32(data: Crc32Source, work: api.Work = {}): Promise<number> {
    if (data instanceof Buffer) {
      const buffer = this.own(data, "data");
      const { result } = await this.give([buffer], work, () => ({ op: "crc32", state: 0 }));
      return Number(result.value);
    }
    const read = inMemory(data) ? slices(viewOf(data)) : pieces(data as Blob, work.signal);
    return this.checksum(read.bytes, read.read(), work);
  }

  async matmul(a: api.KernelBuffer, b: api.KernelBuffer, how: api.MatmulOptions): Promise<api.KernelBuffer> {
    const [left, right] = [this.own(a, "a"), this.own(b, "b")];
    const { m, k, n, precision = "f32" } = how;
    for (const [name, value] of Object.entries({ m, k, n })) whole(value, name);
    if (precision !== "f32" && precision !== "f64") {
      throw new KernelError("unsupported", "`precision` must be `f32` or `f64`");
    }
    const width = precision === "f32" ? 4 : 8;
    exactly(left, product("a", m, k, width), `a: ${m} x ${k} ${precision}`);
    exactly(right, product("b", k, n, width), `b: ${k} x ${n} ${precision}`);
    const buffers = left === right ? [left] : [left, right];
    const place = left === right ? 0 : 1;
    return this.make(buffers, how, product("c", m, n, width), (out) => ({
      ...{ op: "matmul", right: place, m, k, n, precision, out },
    }));
  }

  async fibonacci(n: number, work?: api.Work): Promise<bigint> {
    if (!Number.isInteger(n) || n < 0 || n > FIBONACCI_MAX) {
      throw new KernelError("bad-number", `\`n\` must be a whole number from 0 to ${FIBONACCI_MAX}`);
    }
    const { result } = await this.give([], work, () => ({ op: "fibonacci", n }));
    return result.value as bigint;
  }

  async equal(a: Uint8Array, b: Uint8Array): Promise<boolean> {
    // Copies, of these bytes and not of the memory around them.
    const [left, right] = [viewOf(a).slice(), viewOf(b).slice()];
    const { result } = await this.give([], undefined, () => ({ op: "equal", a: left, b: right }));
    return result.value === true;
  }

  async close(): Promise<void> {
    this.scheduler.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private room(bytes: number, zeroed: boolean): Buffer {
    this.scheduler.check();
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new KernelError("bad-size", `a buffer has a whole number of bytes, not ${bytes}`);
    }
    if (bytes > BYTES_MAX) throw new KernelError("out-of-memory", `no buffer can have ${bytes} bytes`);
    return this.adopt(this.crew.alloc(bytes, zeroed));
  }

  private adopt(buffer: Buffer): Buffer {
    this.buffers.add(buffer);
    return buffer;
  }

  private own(buffer: api.KernelBuffer, name: string): Buffer {
    if (buffer instanceof Buffer && this.buffers.has(buffer)) return buffer;
    const what = buffer instanceof Buffer ? "a buffer of these kernels, not of others" : "a buffer from `alloc` or `from`";
    throw new KernelError("unsupported", `\`${name}\` must be ${what}`);
  }

  private async give(buffers: Buffer[], work: api.Work | undefined, job: () => Job): Promise<Finished> {
    const finished = await this.scheduler.run({ buffers, work, prepare: () => ({ job: job() }) });
    tell(work?.onProgress, 1);
    return finished;
  }

  /** Work that makes a buffer of so many bytes. */
  private async make(
    buffers: Buffer[],
    work: api.Work | undefined,
    bytes: number,
    job: (out: Out) => Job,
  ): Promise<Buffer> {
    const prepare = () => {
      const reservation = this.crew.reserve(bytes);
      return { job: job(reservation.out), reservation };
    };
    const { made } = await this.scheduler.run({ buffers, work, prepare });
    if (!made) throw new KernelError("crashed", "a worker answered without the buffer it should make");
    tell(work?.onProgress, 1);
    return this.adopt(made);
  }

  private async write({ json, order, tables, lane }: Sorted, work: api.Work | undefined): Promise<Buffer> {
    const { length } = tables;
    const { made } = await this.scheduler.run({
      buffers: [json],
      work,
      lane,
      prepare: (on) => {
        const reservation = this.crew.reserve(length);
        const handle = on === lane ? tables.handle : undefined;
        return { job: { op: "write", handle, length, out: reservation.out, ...order }, reservation };
      },
    });
    if (!made) throw new KernelError("crashed", "a worker answered without the rows");
    tell(work?.onProgress, 1);
    return this.adopt(made);
  }

  /** One piece is read while the one before is computed. */
  private async checksum(
    bytes: number | undefined,
    read: AsyncIterable<Uint8Array<ArrayBuffer>>,
    { signal, onProgress, onTiming }: api.Work,
  ): Promise<number> {
    const total = { computeMs: 0, copyMs: 0 };
    const work: api.Work = {
      ...(signal ? { signal } : {}),
      onTiming: ({ computeMs, copyMs }) => {
        total.computeMs += computeMs;
        total.copyMs += copyMs;
      },
    };
    let done = 0;
    let state = Promise.resolve(0);
    for await (const piece of read) {
      const before = await state;
      if (bytes) tell(onProgress, Math.min(1, done / bytes));
      done += piece.byteLength;
      const buffer = MovedBuffer.adopt(this.pieces, piece.buffer);
      state = this.give([buffer], work, () => ({ op: "crc32", state: before })).then(
        ({ result }) => Number(result.value),
      );
      state.catch(() => {}); // It is awaited, but the next piece may fail before that.
    }
    const checksum = await state;
    if (signal?.aborted) throw aborted(signal);
    tell(onProgress, 1);
    tell(onTiming, total);
    return checksum;
  }
}

/** Bytes in memory, piece by piece: copies, since a worker is given each. */
function slices(source: Uint8Array) {
  return {
    bytes: source.byteLength,
    async *read(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      const bytes = source.byteLength;
      for (let at = 0; at < bytes; at += PIECE_BYTES) {
        still(source, bytes);
        yield new Uint8Array(source.subarray(at, at + PIECE_BYTES));
      }
    },
  };
}

function whole(value: number, name: string): void {
  if (Number.isInteger(value) && value > 0 && value <= BYTES_MAX) return;
  throw new KernelError("bad-size", `\`${name}\` must be a whole number above 0, not ${value}`);
}

function size({ width, height }: api.Size, name: string): api.Size {
  whole(width, `${name}.width`);
  whole(height, `${name}.height`);
  return { width, height };
}

/** @throws KernelError `out-of-memory` if no memory of wasm can hold so much. */
function product(name: string, ...factors: number[]): number {
  const bytes = factors.reduce((left, right) => left * right);
  if (bytes <= BYTES_MAX) return bytes;
  throw new KernelError("out-of-memory", `\`${name}\` would take ${bytes} bytes, more than any buffer`);
}

function exactly(buffer: Buffer, bytes: number, what: string): void {
  if (buffer.byteLength === bytes) return;
  throw new KernelError("bad-size", `${what} takes ${bytes} bytes, the buffer has ${buffer.byteLength}`);
}

function image(buffer: Buffer, { width, height }: api.Size): void {
  whole(width, "width");
  whole(height, "height");
  exactly(buffer, width * height * PIXEL_BYTES, `an RGBA image of ${width} x ${height}`);
}

function strength({ sigma, radius }: api.BlurStrength): number {
  const value = sigma ?? radius;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return sigma ?? value / 2;
  const name = sigma === undefined ? "radius" : "sigma";
  throw new KernelError("bad-number", `\`${name}\` must be a number of at least 0, not ${value}`);
}

function triple(values: api.Triple, name: string): api.Triple {
  const [r, g, b] = values;
  if (values.length === 3 && values.every(Number.isFinite)) return [r, g, b];
  throw new KernelError("bad-number", `\`${name}\` must be three finite numbers`);
}
