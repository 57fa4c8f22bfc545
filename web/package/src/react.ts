// `@tombolo/web/react`: kernels as hooks. Work that is superseded or whose component leaves is
// aborted, and what it made is freed.

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import { KernelError } from "./errors.js";
import { loadKernels } from "./load.js";
import type * as api from "./types.js";

/** What has become of loading. */
export type KernelsState =
  | { readonly status: "loading" }
  | { readonly status: "ready"; readonly kernels: api.Kernels }
  | { readonly status: "failed"; readonly error: KernelError };

/** What has become of a piece of work. */
export type WorkState<Value> =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly progress: number }
  | { readonly status: "done"; readonly value: Value; readonly timing: api.Timing | undefined }
  | { readonly status: "failed"; readonly error: KernelError };

/** A hook's work: its state, and how to start and end it. Both functions stay the same. */
export interface WorkHandle<Arguments extends unknown[], Value> {
  readonly state: WorkState<Value>;
  /** Starts it, after aborting what runs. Before the kernels are ready it waits for them. */
  readonly run: (...given: Arguments) => void;
  /** Aborts it and forgets its outcome. */
  readonly reset: () => void;
}

/** What a hook does, on kernels that are ready. */
export type Start<Arguments extends unknown[], Value> = (
  kernels: api.Kernels,
  work: api.Work,
  ...given: Arguments
) => Promise<Value>;

const Shared = createContext<KernelsState | undefined>(undefined);

/** Loads kernels once for all components inside. */
export function KernelsProvider({ children, ...options }: api.LoadOptions & { children?: ReactNode }): ReactNode {
  const state = useOwnKernels(true, options);
  return createElement(Shared.Provider, { value: state }, children);
}

/**
 * The kernels of the provider around, or else its own, closed with the component. Other options load
 * others; the options' `signal` is not looked at.
 */
export function useKernels(options: api.LoadOptions = {}): KernelsState {
  const shared = useContext(Shared);
  const own = useOwnKernels(shared === undefined, options);
  return shared ?? own;
}

function useOwnKernels(wanted: boolean, options: api.LoadOptions): KernelsState {
  const { tier, workers, memoryBytesMax } = options;
  const baseUrl = options.baseUrl === undefined ? undefined : String(options.baseUrl);
  const [state, setState] = useState<KernelsState>({ status: "loading" });
  useEffect(() => {
    if (!wanted) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    setState({ status: "loading" });
    const loading = loadKernels({
      signal,
      ...(tier === undefined ? {} : { tier }),
      ...(workers === undefined ? {} : { workers }),
      ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
    });
    loading.then(
      (kernels) => (signal.aborted ? void kernels.close() : setState({ status: "ready", kernels })),
      (error: unknown) => signal.aborted || setState({ status: "failed", error: kernelError(error) }),
    );
    return () => {
      leaving.abort();
      loading.then((kernels) => kernels.close()).catch(() => {});
    };
  }, [wanted, tier, workers, memoryBytesMax, baseUrl]);
  return state;
}

/** Any work on kernels, as a hook: the latest wins. `start` may change from render to render. */
export function useWork<Arguments extends unknown[], Value>(
  kernels: KernelsState,
  start: Start<Arguments, Value>,
): WorkHandle<Arguments, Value> {
  const [state, setState] = useState<WorkState<Value>>({ status: "idle" });
  const running = useRef<AbortController>(undefined);
  const waiting = useRef<Arguments>(undefined);
  const value = useRef<Value>(undefined);
  const latest = useRef({ kernels, start });
  latest.current = { kernels, start };

  const stop = useCallback(() => {
    running.current?.abort();
    running.current = undefined;
    waiting.current = undefined;
    dispose(value.current);
    value.current = undefined;
  }, []);

  const reset = useCallback(() => {
    stop();
    setState({ status: "idle" });
  }, [stop]);

  const run = useCallback(
    (...given: Arguments) => {
      stop();
      const { kernels, start } = latest.current;
      if (kernels.status === "failed") {
        setState(kernels);
        return;
      }
      setState({ status: "running", progress: 0 });
      if (kernels.status === "loading") {
        waiting.current = given;
        return;
      }
      const controller = new AbortController();
      running.current = controller;
      const current = () => running.current === controller;
      let timing: api.Timing | undefined;
      const work: api.Work = {
        signal: controller.signal,
        onProgress: (progress) => current() && setState({ status: "running", progress }),
        onTiming: (taken) => (timing = taken),
      };
      const settle = (made: Value) => {
        if (!current()) return dispose(made);
        value.current = made;
        setState({ status: "done", value: made, timing });
      };
      const fail = (error: unknown) => {
        if (current()) setState({ status: "failed", error: kernelError(error) });
      };
      // Within a promise, so that what is thrown before there is one is told as well.
      new Promise<Value>((resolve) => resolve(start(kernels.kernels, work, ...given))).then(settle, fail);
    },
    [stop],
  );

  useEffect(() => {
    if (waiting.current && kernels.status !== "loading") run(...waiting.current);
  }, [kernels, run]);
  useEffect(() => stop, [stop]);
  return { state, run, reset };
}

/** Blurs in place: `run(pixels, { width, height, radius })`. */
export function useBlur(kernels: KernelsState) {
  return useWork(kernels, (ready, work, pixels: api.KernelBuffer, how: Bare<api.BlurOptions>) =>
    ready.blur(pixels, { ...how, ...work }),
  );
}

/** `run(pixels, { width, height, to })`; the hook owns and frees the new buffer. */
export function useResize(kernels: KernelsState) {
  return useWork(kernels, (ready, work, pixels: api.KernelBuffer, how: Bare<api.ResizeOptions>) =>
    ready.resize(pixels, { ...how, ...work }),
  );
}

/** `run(pixels, { width, height, to, mean, std })`; the hook owns and frees the new buffer. */
export function usePreprocess(kernels: KernelsState) {
  return useWork(kernels, (ready, work, pixels: api.KernelBuffer, how: Bare<api.PreprocessOptions>) =>
    ready.preprocess(pixels, { ...how, ...work }),
  );
}

/** `run(json, { key })`; the hook owns and frees the sorted rows, not the buffer they lie in. */
export function useSortJson(kernels: KernelsState) {
  return useWork(kernels, (ready, work, json: api.KernelBuffer, how: Bare<api.SortJsonOptions>) =>
    ready.sortJson(json, { ...how, ...work }),
  );
}

/** `run(file)`. */
export function useCrc32(kernels: KernelsState) {
  return useWork(kernels, (ready, work, data: Parameters<api.Kernels["crc32"]>[0]) => ready.crc32(data, work));
}

/** `run(a, b, { m, k, n })`; the hook owns and frees the product. */
export function useMatmul(kernels: KernelsState) {
  return useWork(
    kernels,
    (ready, work, a: api.KernelBuffer, b: api.KernelBuffer, how: Bare<api.MatmulOptions>) =>
      ready.matmul(a, b, { ...how, ...work }),
  );
}

/** Options without those that the hook gives: of each form, where there are several. */
type Bare<Options> = Options extends unknown ? Omit<Options, keyof api.Work> : never;

function dispose(value: unknown): void {
  if (typeof value === "object" && value !== null && Symbol.dispose in value) {
    (value as Disposable)[Symbol.dispose]();
  }
}

function kernelError(error: unknown): KernelError {
  if (error instanceof KernelError) return error;
  return new KernelError("crashed", String(error), { cause: error });
}
