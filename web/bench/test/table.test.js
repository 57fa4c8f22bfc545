import assert from "node:assert/strict";
import { test } from "node:test";
import { barTable, speedTable } from "../src/table.js";

const took = (workload, contestant, ms, engine = "Node") => (
  { engine, workload, contestant, relaxed: false, wallMs: [ms, ms, ms], cpuMs: [ms, ms, ms] }
);

const figures = (measurements) => ({
  measurements,
  native: [{ workload: "matmul", threads: 1, wallMs: 25, cpuMs: 25, spreadMs: 0.5 }],
  startUp: [{ engine: "Chromium", tier: "simd", ms: [60, 49, 51] }],
  sizes: [{ tier: "simd", raw: 1, gzip: 59_999, brotli: 1 }, { tier: "threads", raw: 1, gzip: 99_999, brotli: 1 }],
});

test("the faster of the single threads is held to a bar, and may miss it", () => {
  const tables = barTable(figures([
    took("matmul", "JavaScript", 450),
    took("matmul", "wasm simd", 51),
    took("matmul", "wasm threads, 1", 50),
    took("matmul", "wasm threads, 2", 30),
    took("nop", "wasm simd", 4e-6),
    took("nop", "wasm threads, 1", 1.1e-5),
  ]));
  assert.match(tables, /\| matmul, wasm threads, 1, against JavaScript \| Node \| 9 x \| 9\.00 x \| met \|/);
  assert.match(tables, /\| matmul, wasm threads, 1, against native, 1 thread \| Node \| 0\.45 x \| 0\.50 x \| met \|/);
  assert.match(tables, /\| matmul, wasm threads, 2, against wasm threads, 1 \| Node \| 1\.7 x \| 1\.67 x \| \*\*missed\*\* \|/);
  assert.match(tables, /\| empty call, slowest tier \| Node \| below 10 ns \| 11\.0 ns \| \*\*missed\*\* \|/);
  assert.match(tables, /\| first result after fetch, simd \| Chromium \| below 50 ms \| 51\.0 ms \| \*\*missed\*\* \|/);
  assert.match(tables, /\| size, simd \| \| below 60000 bytes gzip \| 59999 \| met \|/);
  assert.doesNotMatch(tables, /size, threads|canvas|blur/);
});

test("a line compares with the first contestant of its engine and with native", () => {
  const table = speedTable(figures([
    took("matmul", "JavaScript", 400),
    took("matmul", "wasm simd", 50),
    took("matmul", "JavaScript", 600, "Chromium"),
    took("matmul", "wasm simd", 50, "Chromium"),
  ]));
  assert.match(table, /\| matmul \| Node \| wasm simd \| 50\.0 \| 50\.0 to 50\.0 \| 50\.0 \| 8\.00 \| 8\.00 \| 0\.50 \|/);
  assert.match(table, /\| matmul \| Chromium \| wasm simd \| 50\.0 \| 50\.0 to 50\.0 \| 50\.0 \| 12\.0 \| 12\.0 \| 0\.50 \|/);
  assert.match(table, /\| matmul \| native Rust \| 1 thread \| 25\.0 \| 0\.50 wide \| 25\.0 \|/);
});
