// The jobs of a worker: each one call of a kernel, with its arguments put where the kernel finds them.

import { PIXEL_BYTES } from "./abi.js";
import { KernelError } from "./errors.js";
import type { Operands } from "./operands.js";
import type { Job, Order, Result, SortedTables } from "./protocol.js";

/** A checksum is taken in pieces of this size, so that it can be aborted. */
const CRC_PIECE_BYTES = 8 << 20;

/** Says how far the job is; true asks it to end. */
export type Ask = (done: number, total: number) => boolean;

/** Runs a job. @throws KernelError what the kernel answers; anything else is a crash. */
export function run(job: Job, io: Operands, ask: Ask): Result {
  switch (job.op) {
    case "blur":
      return blur(job, io);
    case "resize":
      return resize(job, io);
    case "preprocess":
      return preprocess(job, io);
    case "sort":
      return { sorted: sort(job, io) };
    case "write":
      return write(job, io);
    case "crc32":
      return crc32(job.state, io, ask);
    case "matmul":
      return matmul(job, io);
    case "fibonacci":
      return { value: BigInt.asUintN(64, io.compute(() => io.kernels.exports.tk_fibonacci(job.n))) };
    case "equal":
      return equal(job.a, job.b, io);
  }
}

type Named<Op extends Job["op"]> = Extract<Job, { op: Op }>;

function blur({ width, height, sigma }: Named<"blur">, io: Operands): Result {
  const { kernels } = io;
  const pixels = io.change(0);
  kernels.check(io.compute(() => kernels.exports.tk_blur(pixels.pointer, width, height, sigma)));
  io.written(0);
  return {};
}

function resize({ width, height, to, out }: Named<"resize">, io: Operands): Result {
  const { kernels } = io;
  const source = io.read(0).pointer;
  const bytes = to.width * to.height * PIXEL_BYTES;
  const target = io.out(out, bytes);
  kernels.check(
    io.compute(() => kernels.exports.tk_resize(source, width, height, target, to.width, to.height)),
  );
  return io.outcome(out, target, bytes);
}

function preprocess({ width, height, to, mean, std, out }: Named<"preprocess">, io: Operands): Result {
  const { kernels } = io;
  const source = io.read(0).pointer;
  const [means, stds] = [io.put(new Float32Array(mean)), io.put(new Float32Array(std))];
  const bytes = to.width * to.height * 3 * Float32Array.BYTES_PER_ELEMENT;
  const target = io.out(out, bytes);
  kernels.check(
    io.compute(() =>
      kernels.exports.tk_preprocess(source, width, height, target, to.width, to.height, means, stds),
    ),
  );
  return io.outcome(out, target, bytes);
}

/** Sorts what operand 0 holds; a handle that is not 0. */
function sorted({ key, descending }: Order, io: Operands, pointer: number, length: number): number {
  const { kernels } = io;
  const text = new TextEncoder().encode(key);
  const at = io.put(text);
  const handle = io.compute(() =>
    kernels.exports.tk_sort_json(pointer, length, at, text.byteLength, descending ? 1 : 0),
  );
  if (handle === 0) throw kernels.error(kernels.exports.tk_error_status());
  return handle >>> 0;
}

function sort(order: Order, io: Operands): SortedTables {
  const { exports } = io.kernels;
  const { pointer, bytes } = io.read(0);
  const handle = sorted(order, io, pointer, bytes);
  const rows = exports.tk_sorted_rows(handle) >>> 0;
  try {
    return {
      handle,
      rows,
      length: exports.tk_sorted_bytes_len(handle) >>> 0,
      permutation: io.table(exports.tk_sorted_permutation(handle), rows),
      starts: io.table(exports.tk_sorted_starts(handle), rows),
      ends: io.table(exports.tk_sorted_ends(handle), rows),
    };
  } catch (error) {
    // The page never hears of the handle, so nobody else lets go of it.
    exports.tk_sorted_free(handle);
    throw error;
  }
}

/** Writes rows in order. Where the sorted array went with its worker, it is sorted again. */
function write({ handle, length, out, ...order }: Named<"write">, io: Operands): Result {
  const { kernels } = io;
  const { exports } = kernels;
  const json = io.read(0);
  const used = handle ?? sorted(order, io, json.pointer, json.bytes);
  try {
    const target = io.out(out, length);
    kernels.check(
      io.compute(() => exports.tk_sorted_write(used, json.pointer, json.bytes, target, length)),
    );
    return io.outcome(out, target, length);
  } finally {
    if (handle === undefined) exports.tk_sorted_free(used);
  }
}

function crc32(start: number, io: Operands, ask: Ask): Result {
  const { pointer, bytes } = io.read(0);
  let state = start;
  for (let at = 0; at < bytes; at += CRC_PIECE_BYTES) {
    if (ask(at, bytes)) throw new KernelError("aborted", "the work was aborted");
    const length = Math.min(CRC_PIECE_BYTES, bytes - at);
    state = io.compute(() => io.kernels.exports.tk_crc32(state, pointer + at, length)) >>> 0;
  }
  return { value: state };
}

function matmul({ right, m, k, n, precision, out }: Named<"matmul">, io: Operands): Result {
  const { kernels } = io;
  const a = io.read(0).pointer;
  const b = right === 0 ? a : io.read(right).pointer;
  const single = precision === "f32";
  const bytes = m * n * (single ? Float32Array : Float64Array).BYTES_PER_ELEMENT;
  const target = io.out(out, bytes);
  const { tk_matmul_f32, tk_matmul_f64 } = kernels.exports;
  const multiply = single ? tk_matmul_f32 : tk_matmul_f64;
  kernels.check(io.compute(() => multiply(a, b, target, m, k, n)));
  return io.outcome(out, target, bytes);
}

function equal(a: Uint8Array, b: Uint8Array, io: Operands): Result {
  if (a.byteLength !== b.byteLength) return { value: false };
  const [left, right] = [io.put(a), io.put(b)];
  const { kernels } = io;
  const same = io.compute(() => kernels.exports.tk_equal(left, right, a.byteLength)) !== 0;
  // Secrets do not stay behind in the kernels' memory.
  for (const pointer of [left, right]) kernels.bytes(pointer, a.byteLength).fill(0);
  return { value: same };
}
