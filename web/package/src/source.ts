import { type Buffer, detached, PIECE_BYTES } from "./buffers.js";
import { aborted, KernelError, reasonOf, tell } from "./errors.js";
import type { Source } from "./types.js";

/** Bytes that arrive piece by piece. */
export interface Pieces {
  /** How many there will be, if the source says so. */
  readonly bytes: number | undefined;
  /** The pieces, whose memory is the reader's to keep. Ending early ends the source. */
  read(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Reads any source; `undefined` if it is bytes in memory. */
export function pieces(source: Exclude<Source, ArrayBuffer | ArrayBufferView>, signal?: AbortSignal): Pieces {
  if (source instanceof Blob) return { bytes: source.size, read: () => blob(source, signal) };
  if (source instanceof ReadableStream) return { bytes: undefined, read: () => stream(source, signal) };
  if (source instanceof Response) {
    if (!source.ok) throw new KernelError("load", `the server answered ${source.status}`);
    const { body } = source;
    // What arrives may be longer than what was sent, if that is compressed: no length then.
    const length = Number(source.headers.get("content-length") ?? Number.NaN);
    const known = Number.isSafeInteger(length) && !source.headers.has("content-encoding");
    return {
      bytes: known ? length : undefined,
      read: () => stream(body ?? new Response("").body ?? new ReadableStream(), signal),
    };
  }
  throw new KernelError("unsupported", "expected bytes, a Blob, a Response or a stream of bytes");
}

/** Whether a source is in memory. */
export function inMemory(source: unknown): source is ArrayBuffer | ArrayBufferView {
  return source instanceof ArrayBuffer || ArrayBuffer.isView(source) || isShared(source);
}

function isShared(source: unknown): boolean {
  return typeof SharedArrayBuffer !== "undefined" && source instanceof SharedArrayBuffer;
}

/** @throws KernelError `freed` for bytes that were transferred away. */
export function viewOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  const buffer = ArrayBuffer.isView(data) ? data.buffer : data;
  if (detached(buffer)) {
    throw new KernelError("freed", "the bytes were transferred away: their buffer is detached");
  }
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** @throws KernelError `freed` if bytes were transferred away, or their memory grew, while they are read. */
export function still(source: Uint8Array, bytes: number): void {
  if (source.byteLength === bytes) return;
  throw new KernelError("freed", "the bytes were transferred away while they were read");
}

/** A blob in slices: of a file, only what is being read is in memory. The next is read ahead. */
async function* blob(source: Blob, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const slice = (at: number) => {
    const bytes = source.slice(at, at + PIECE_BYTES).arrayBuffer();
    bytes.catch(() => {}); // Whoever waits for it hears of it; perhaps nobody does any more.
    return bytes;
  };
  let next = slice(0);
  for (let at = 0; at < source.size; at += PIECE_BYTES) {
    const bytes = await readable(next);
    if (signal?.aborted) throw aborted(signal);
    if (at + PIECE_BYTES < source.size) next = slice(at + PIECE_BYTES);
    yield new Uint8Array(bytes);
  }
}

/** A stream, its chunks gathered: many are small, and each message to a worker costs. */
async function* stream(
  source: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = source.getReader();
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", cancel);
  let whole = false;
  try {
    let [piece, filled] = [new Uint8Array(PIECE_BYTES), 0];
    for (;;) {
      const { done, value } = await readable(reader.read());
      if (signal?.aborted) throw aborted(signal);
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new KernelError("unsupported", "expected a stream of Uint8Array");
      }
      // Copied, not kept: the chunk may be part of a buffer that somebody still uses.
      for (let at = 0; at < value.byteLength; ) {
        const part = value.subarray(at, at + PIECE_BYTES - filled);
        piece.set(part, filled);
        [at, filled] = [at + part.byteLength, filled + part.byteLength];
        if (filled < PIECE_BYTES) continue;
        yield piece;
        [piece, filled] = [new Uint8Array(PIECE_BYTES), 0];
      }
    }
    whole = true;
    if (filled > 0) yield piece.slice(0, filled);
  } finally {
    signal?.removeEventListener("abort", cancel);
    if (!whole) cancel();
  }
}

async function readable<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw new KernelError("load", `the data cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Lets the page draw and answer, between two pieces of a long copy. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Copies bytes in memory into a buffer, a piece at a time. */
export async function fill(
  target: Buffer,
  source: Uint8Array,
  signal: AbortSignal | undefined,
  onProgress: ((fraction: number) => void) | undefined,
): Promise<void> {
  const bytes = source.byteLength;
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    if (at > 0) {
      await breathe();
      if (signal?.aborted) throw aborted(signal);
      tell(onProgress, at / bytes);
      still(source, bytes);
    }
    target.view().set(source.subarray(at, at + PIECE_BYTES), at);
  }
}

/** Reads all pieces into a buffer; `alloc` makes one of at least so many bytes. */
export async function gather(
  { bytes, read }: Pieces,
  alloc: (bytes: number) => Buffer,
  onProgress: ((fraction: number) => void) | undefined,
): Promise<Buffer> {
  let buffer = alloc(bytes ?? PIECE_BYTES);
  let filled = 0;
  try {
    for await (const piece of read()) {
      const needed = filled + piece.byteLength;
      if (needed > buffer.byteLength) buffer = regrow(buffer, filled, Math.max(needed, 2 * filled), alloc);
      buffer.view().set(piece, filled);
      filled = needed;
      if (bytes) tell(onProgress, Math.min(1, filled / bytes));
    }
    return filled === buffer.byteLength ? buffer : (buffer = regrow(buffer, filled, filled, alloc));
  } catch (error) {
    buffer.free();
    throw error;
  }
}

/** The first bytes of a buffer in one of another size. */
function regrow(old: Buffer, filled: number, bytes: number, alloc: (bytes: number) => Buffer): Buffer {
  const grown = alloc(bytes);
  grown.view().set(old.view().subarray(0, filled));
  old.free();
  return grown;
}
