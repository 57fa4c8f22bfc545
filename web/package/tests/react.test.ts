// @vitest-environment jsdom
// The hooks, with kernels that are played: how they load is tested in Chromium (vite.test.ts).

import { act, renderHook } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { KernelError } from "../src/errors.js";
import { type KernelsState, useWork } from "../src/react.js";
import type { Kernels, Work } from "../src/types.js";

const ready: KernelsState = { status: "ready", kernels: {} as Kernels };

/** Work that ends when the test says so. */
function play<Value>() {
  const calls: { work: Work; given: string; resolve(value: Value): void; reject(error: unknown): void }[] = [];
  const start = (_: Kernels, work: Work, given: string) =>
    new Promise<Value>((resolve, reject) => {
      calls.push({ work, given, resolve, reject });
    });
  return { calls, start };
}

function thing() {
  const dispose = vi.fn();
  return { dispose, value: { [Symbol.dispose]: dispose } as Disposable };
}

describe("useWork", () => {
  it("goes from idle over progress to done", async () => {
    const { calls, start } = play<string>();
    const { result } = renderHook(() => useWork(ready, start));
    expect(result.current.state).toEqual({ status: "idle" });
    act(() => result.current.run("a"));
    expect(result.current.state).toEqual({ status: "running", progress: 0 });
    act(() => calls[0]!.work.onProgress!(0.5));
    expect(result.current.state).toEqual({ status: "running", progress: 0.5 });
    const timing = { computeMs: 1, copyMs: 2 };
    calls[0]!.work.onTiming!(timing);
    await act(async () => calls[0]!.resolve("made"));
    expect(result.current.state).toEqual({ status: "done", value: "made", timing });
  });

  it("lets the latest win: the one before is aborted, its value freed", async () => {
    const { calls, start } = play<Disposable>();
    const { result } = renderHook(() => useWork(ready, start));
    act(() => result.current.run("first"));
    act(() => result.current.run("second"));
    expect(calls[0]!.work.signal!.aborted).toBe(true);
    expect(calls[1]!.work.signal!.aborted).toBe(false);
    const [late, last] = [thing(), thing()];
    await act(async () => calls[0]!.resolve(late.value));
    expect(late.dispose).toHaveBeenCalledOnce();
    expect(result.current.state.status).toBe("running");
    await act(async () => calls[1]!.resolve(last.value));
    expect(result.current.state).toMatchObject({ status: "done", value: last.value });
    act(() => result.current.run("third"));
    expect(last.dispose).toHaveBeenCalledOnce();
  });

  it("aborts and frees when its component leaves", async () => {
    const { calls, start } = play<Disposable>();
    const running = renderHook(() => useWork(ready, start));
    act(() => running.result.current.run("a"));
    running.unmount();
    expect(calls[0]!.work.signal!.aborted).toBe(true);
    const done = renderHook(() => useWork(ready, start));
    act(() => done.result.current.run("b"));
    const made = thing();
    await act(async () => calls[1]!.resolve(made.value));
    expect(made.dispose).not.toHaveBeenCalled();
    done.unmount();
    expect(made.dispose).toHaveBeenCalledOnce();
  });

  it("tells failures, and forgets them with reset", async () => {
    const { calls, start } = play<string>();
    const { result } = renderHook(() => useWork(ready, start));
    act(() => result.current.run("a"));
    const error = new KernelError("bad-size", "no");
    await act(async () => calls[0]!.reject(error));
    expect(result.current.state).toEqual({ status: "failed", error });
    act(() => result.current.reset());
    expect(result.current.state).toEqual({ status: "idle" });
  });

  it("tells also what is thrown before there is a promise", async () => {
    const start = (): Promise<string> => {
      throw new KernelError("freed", "the buffer was freed");
    };
    const { result } = renderHook(() => useWork(ready, start));
    await act(async () => result.current.run());
    expect(result.current.state).toMatchObject({ status: "failed", error: { code: "freed" } });
  });

  it("waits for the kernels, and runs what was asked for last", () => {
    const { calls, start } = play<string>();
    const { result, rerender } = renderHook(({ kernels }) => useWork(kernels, start), {
      initialProps: { kernels: { status: "loading" } as KernelsState },
    });
    act(() => result.current.run("early"));
    act(() => result.current.run("later"));
    expect(result.current.state).toEqual({ status: "running", progress: 0 });
    expect(calls).toHaveLength(0);
    rerender({ kernels: ready });
    expect(calls.map(({ given }) => given)).toEqual(["later"]);
  });

  it("fails as loading does", () => {
    const error = new KernelError("load", "no kernels");
    const { start } = play<string>();
    const { result, rerender } = renderHook(({ kernels }) => useWork(kernels, start), {
      initialProps: { kernels: { status: "loading" } as KernelsState },
    });
    act(() => result.current.run("a"));
    rerender({ kernels: { status: "failed", error } });
    expect(result.current.state).toEqual({ status: "failed", error });
  });

  it("keeps `run` and `reset` the same from render to render", () => {
    const { result, rerender } = renderHook(() => useWork(ready, play<string>().start));
    const { run, reset } = result.current;
    rerender();
    expect(result.current).toMatchObject({ run, reset });
  });
});
