import { expect, test } from "vitest";
import type { Report } from "../bench/reading.ts";
import type { Probe } from "../environment/probe.ts";
import { toJson, toMarkdown } from "./export.ts";

const known: Probe = {
  state: "known",
  kernels: {
    crossOriginIsolated: true,
    simd: true,
    relaxedSimd: false,
    threads: true,
    cores: 2,
    tier: "threads",
    workers: 2,
    notes: [],
  },
  gpu: { state: "absent", why: "no WebGPU in this browser" },
  edge: { state: "absent", why: "no server" },
  agent: "Browser/1",
};

const report: Report = {
  kernel: "crc",
  subject: "64 MiB",
  rate: { units: 67_108_864, scale: 1e-9, unit: "GB/s" },
  rounds: 3,
  warmUp: { runsMin: 2, msMin: 300, runsMax: 20 },
  taken: "2026-11-24T00:00:00.000Z",
  readings: {
    javascript: {
      state: "measured",
      samples: [20, 22, 24].map((ms) => ({ computeMs: ms, wallMs: ms * 2 })),
      agreement: { verdict: "reference" },
    },
    simd: {
      state: "measured",
      samples: [10, 11, 12].map((ms) => ({ computeMs: ms, wallMs: ms + 4 })),
      agreement: { verdict: "different", difference: "00000000, not a|b" },
    },
    threads: { state: "failed", note: { title: "Not enough memory", detail: "wanted\n4 GiB" } },
    edge: { state: "absent", why: "no server" },
  },
};

test("the table has a row for everyone, and says why there is no figure", () => {
  expect(toMarkdown([report], known)).toBe(
    [
      "**CRC-32**: 64 MiB; median of 3 alternating runs",
      "",
      "| Implementation | Kernel | Spread | With copies | Spread | GB/s | To JavaScript | Result |",
      "| --- | --: | --: | --: | --: | --: | --: | --- |",
      "| JavaScript | 22.0 ms | 9.1 % | 44.0 ms | 9.1 % | 3.05 | ×1.0 | reference |",
      "| Wasm SIMD | 11.0 ms | 9.1 % | 15.0 ms | 6.7 % | 6.10 | ×2.0 | different: 00000000, not a\\|b |",
      "| Wasm threads | – |  |  |  |  |  | Not enough memory: wanted 4 GiB |",
      "| Edge | – |  |  |  |  |  | no server |",
      "",
      "Browser/1; 2 cores, cross-origin isolated, best tier `threads` with 2 workers.",
      "",
    ].join("\n"),
  );
});

test("the JSON carries every run and the environment", () => {
  const exported: unknown = JSON.parse(toJson([report], known));
  expect(exported).toEqual({ version: 1, environment: known, reports: [report] });
});
