// `@tombolo/web/direct`: a module of kernels in this thread, synchronous. Workers use it, and so may
// Node. On a page it blocks the page for as long as it computes.

import { ABI, ALIGN, FEATURE, type KernelExports, PAGE_BYTES, STATUS, STATUS_TEXT } from "./abi.js";
import { KernelError, reasonOf } from "./errors.js";
import { detect, type Features } from "./features.js";
import type { Tier } from "./types.js";

export type { KernelExports } from "./abi.js";
export { detect, type Features };
export { KernelError, type KernelErrorCode } from "./errors.js";
export type { Tier } from "./types.js";

/** What a shared memory may be to be given to the threads module: at most 4 GiB. */
export const SHARED_MEMORY = { initialPages: 64, maximumPages: 65_536 } as const;
/** What is reserved where nobody says. */
const MAXIMUM_PAGES_DEFAULT = 16_384;

/** The longest reason that is read from a module. */
const REASON_BYTES_MAX = 512;

export interface InstantiateOptions {
  readonly tier: Tier;
  /** For `threads`: the build with relaxed SIMD. Default: where the engine has that. */
  readonly relaxed?: boolean;
  /** The module, one of these three ways. Default: this package's own file. */
  readonly module?: WebAssembly.Module;
  readonly bytes?: ArrayBuffer | ArrayBufferView;
  readonly url?: string | URL;
  /** For `threads`: the memory to share. Default: a new one. */
  readonly memory?: WebAssembly.Memory;
  /** For `threads`, every instance on a memory but the first: its own stack, which nobody else has. */
  readonly stack?: { readonly at: number; readonly bytes: number };
}

/** The files of modules: `relaxed` is `threads` for engines that have relaxed SIMD. */
export type ModuleName = Tier | "relaxed";

/** Which file a tier's module is in. */
export function moduleName(tier: Tier, relaxed: boolean): ModuleName {
  return tier === "threads" && relaxed ? "relaxed" : tier;
}

/** Where modules are. This package's own are literal, so that bundlers see and copy the files. */
export function moduleUrl(name: ModuleName, base?: string | URL): URL {
  if (base !== undefined) {
    const folder = new URL(String(base), globalThis.location?.href ?? import.meta.url);
    if (!folder.pathname.endsWith("/")) folder.pathname += "/";
    return new URL(`${name}.wasm`, folder);
  }
  switch (name) {
    case "relaxed":
      return new URL("./wasm/relaxed.wasm", import.meta.url);
    case "threads":
      return new URL("./wasm/threads.wasm", import.meta.url);
    case "simd":
      return new URL("./wasm/simd.wasm", import.meta.url);
    case "baseline":
      return new URL("./wasm/baseline.wasm", import.meta.url);
  }
}

/** Fetches and compiles a module, while it arrives where the server names its type. */
export async function compile(url: URL, signal?: AbortSignal): Promise<WebAssembly.Module> {
  const refuse = (cause: unknown) =>
    new KernelError("load", `cannot load \`${url.href}\`: ${reasonOf(cause)}`, { cause });
  try {
    if (url.protocol === "file:") return await WebAssembly.compile(await readFile(url));
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const type = response.headers.get("content-type")?.split(";")[0]?.trim();
    if (type === "application/wasm") return await WebAssembly.compileStreaming(response);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    throw refuse(error);
  }
}

/** Of a file, which `fetch` refuses. Only Node gets here, and bundlers must not see what it imports. */
async function readFile(url: URL): Promise<BufferSource> {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): { readFile(url: URL): Promise<Uint8Array<ArrayBuffer>> } };
  };
  const files = process?.getBuiltinModule?.("node:fs/promises");
  if (!files) throw new Error("files can be read in Node 20.16 and later only");
  return files.readFile(url);
}

/**
 * Makes an instance of a module in this thread.
 *
 * @throws KernelError `load` if the module cannot be fetched, compiled or linked, or is another's.
 */
export async function instantiate(options: InstantiateOptions): Promise<DirectKernels> {
  const module = await moduleOf(options);
  const { tier } = options;
  const memory = tier === "threads" ? (options.memory ?? sharedMemory()) : undefined;
  const progress: Progress = {};
  const env: WebAssembly.ModuleImports = {
    tk_progress: (done: number, total: number) => (progress.on?.(done >>> 0, total >>> 0) ? 1 : 0),
  };
  if (memory) env["memory"] = memory;
  try {
    const instance = await WebAssembly.instantiate(module, { env });
    if (options.stack) enter(instance, options.stack);
    return new DirectKernels(tier, module, instance, memory, progress);
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError("load", `cannot link the ${tier} module: ${reasonOf(error)}`, { cause: error });
  }
}

async function moduleOf(options: InstantiateOptions): Promise<WebAssembly.Module> {
  const { tier, module, bytes, url, relaxed = detect().relaxedSimd } = options;
  if (module) return module;
  if (!bytes) {
    const own = moduleUrl(moduleName(tier, relaxed));
    return compile(url === undefined ? own : new URL(String(url), import.meta.url));
  }
  try {
    return await WebAssembly.compile(bytes as BufferSource);
  } catch (error) {
    throw new KernelError("load", `cannot compile the ${tier} module: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws KernelError `out-of-memory` if the engine does not give so much address space. */
export function sharedMemory(maximumPages: number = MAXIMUM_PAGES_DEFAULT): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({
      initial: SHARED_MEMORY.initialPages,
      maximum: Math.max(SHARED_MEMORY.initialPages, Math.min(maximumPages, SHARED_MEMORY.maximumPages)),
      shared: true,
    });
  } catch (error) {
    const mib = (maximumPages * PAGE_BYTES) >> 20;
    throw new KernelError("out-of-memory", `cannot reserve a shared memory of up to ${mib} MiB`, {
      cause: error,
    });
  }
}

/** Gives an instance on a shared memory a stack and thread-local variables of its own. */
function enter(instance: WebAssembly.Instance, stack: { at: number; bytes: number }): void {
  const glue = instance.exports as unknown as {
    __stack_pointer: WebAssembly.Global<"i32">;
    __tls_size: WebAssembly.Global<"i32">;
    __tls_align: WebAssembly.Global<"i32">;
    __wasm_init_tls(at: number): void;
  };
  const [size, align] = [glue.__tls_size.value, Math.max(ALIGN, glue.__tls_align.value)];
  const locals = Math.floor((stack.at + stack.bytes - size) / align) * align;
  if (locals - stack.at < stack.bytes / 2) {
    throw new KernelError("load", `a stack of ${stack.bytes} bytes has no room for ${size} of locals`);
  }
  // The stack grows down from beneath the locals.
  glue.__stack_pointer.value = locals;
  glue.__wasm_init_tls(locals);
}

interface Progress {
  on?: ((done: number, total: number) => boolean) | undefined;
}

/** An instance of a module: its exports as they are, and what one needs to call them. */
export class DirectKernels {
  readonly exports: KernelExports;
  /** The memory that pointers point into. Take a new view after each call: growth detaches old ones. */
  readonly memory: WebAssembly.Memory;
  readonly features: { readonly simd: boolean; readonly relaxedSimd: boolean; readonly threads: boolean };

  /** @internal */
  constructor(
    readonly tier: Tier,
    readonly module: WebAssembly.Module,
    instance: WebAssembly.Instance,
    shared: WebAssembly.Memory | undefined,
    private readonly progress: Progress,
  ) {
    const exports = instance.exports as unknown as KernelExports & { memory?: WebAssembly.Memory };
    const memory = shared ?? exports.memory;
    const abi = typeof exports.tk_abi === "function" ? exports.tk_abi() : undefined;
    if (abi !== ABI || !memory) {
      throw new KernelError("load", `the module's interface is ${abi ?? "another's"}, expected ${ABI}`);
    }
    this.exports = exports;
    this.memory = memory;
    const bits = exports.tk_features();
    this.features = {
      simd: (bits & FEATURE.simd) !== 0,
      relaxedSimd: (bits & FEATURE.relaxedSimd) !== 0,
      threads: (bits & FEATURE.threads) !== 0,
    };
  }

  /** Called by long kernels between blocks; true ends the kernel with `aborted`. */
  set onProgress(listener: ((done: number, total: number) => boolean) | undefined) {
    this.progress.on = listener;
  }

  /** @throws KernelError `out-of-memory`. Not zeroed. */
  alloc(bytes: number, align: number = ALIGN): number {
    const least = Math.max(1, bytes);
    const pointer = least > 0xffff_ffff ? 0 : this.exports.tk_alloc(least, align) >>> 0;
    if (pointer === 0) throw new KernelError("out-of-memory", `no room for ${bytes} bytes`);
    return pointer;
  }

  free(pointer: number, bytes: number, align: number = ALIGN): void {
    this.exports.tk_free(pointer, Math.max(1, bytes), align);
  }

  /** A fresh view of the memory; no call to a kernel may lie between taking and using it. */
  bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer, length);
  }

  /** Allocates and fills; give it back with {@link free}. */
  copyIn(data: ArrayBuffer | ArrayBufferView): number {
    const source = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    const pointer = this.alloc(source.byteLength);
    this.bytes(pointer, source.byteLength).set(source);
    return pointer;
  }

  /** @throws KernelError unless the status is 0, with what the module says of it. */
  check(status: number): void {
    if (status !== 0) throw this.error(status);
  }

  /** The error of a status; for calls that answer 0 instead of a handle, of the last one. */
  error(status: number): KernelError {
    const code = STATUS.get(status) ?? "crashed";
    const offset = code === "invalid-json" || code === "not-rows" ? this.exports.tk_error_offset() >>> 0 : undefined;
    return new KernelError(code, this.reason() || STATUS_TEXT[code], { offset });
  }

  /** What the module says of its last error. */
  private reason(): string {
    const out = this.exports.tk_alloc(REASON_BYTES_MAX, 1) >>> 0;
    if (out === 0) return "";
    const length = this.exports.tk_error_reason(out, REASON_BYTES_MAX);
    // A copy: text is not decoded from shared memory.
    const text = new TextDecoder().decode(this.bytes(out, Math.min(length, REASON_BYTES_MAX)).slice());
    this.exports.tk_free(out, REASON_BYTES_MAX, 1);
    return text;
  }
}
