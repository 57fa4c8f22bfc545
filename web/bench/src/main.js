// `npm run bench`: figures of the browser kernels. Expects `cargo xtask web` to have built them.
//
//   --only a,b      these workloads (of node and chromium)
//   --engine a,b    of node, chromium, native, start
//   --rounds n      samples of each contestant (default 7)
//   --report        measure nothing: print what earlier runs found
//
// Every piece is kept in target/web-bench, so that a long bench can be run in parts; the tables show
// the latest of each.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { launch } from "./chromium.js";
import { workloads } from "./contestants.js";
import { measure, together } from "./measure.js";
import { measureNative } from "./native.js";
import { openNode } from "./node.js";
import { barTable, sizeTable, speedTable } from "./table.js";

const KEPT = new URL("../../../target/web-bench/", import.meta.url);
const MODULES = new URL("../../package/dist/wasm/", import.meta.url);
const ENGINES = ["node", "chromium", "native", "start"];
const STARTS = 9;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(workloads).join(",") },
    engine: { type: "string", default: ENGINES.join(",") },
    rounds: { type: "string", default: "7" },
    report: { type: "boolean", default: false },
  },
});

/**
 * @param {string} what names the option in an error
 * @param {string} list
 * @param {readonly string[]} known
 */
function choose(what, list, known) {
  const chosen = list.split(",");
  const odd = chosen.find((name) => !known.includes(name));
  if (odd !== undefined) throw new RangeError(`${what}: \`${odd}\` is none of ${known.join(", ")}`);
  return chosen;
}

/**
 * @param {string} piece
 * @param {object} found
 */
function keep(piece, found) {
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(new URL(`${piece}.json`, KEPT), JSON.stringify({ date: new Date().toISOString(), ...found }, null, 1));
  console.error(`kept ${piece}`);
}

/**
 * @param {readonly string[]} chosen
 * @param {readonly string[]} engines
 * @param {number} rounds
 */
async function measureAll(chosen, engines, rounds) {
  if (engines.includes("native")) keep("native", { native: measureNative() });
  const browser = engines.includes("chromium") || engines.includes("start") ? await launch() : undefined;
  try {
    for (const workload of chosen) {
      if (engines.includes("node")) await piece(workload, "node", (side) => openNode(workload, side), rounds);
      if (browser && engines.includes("chromium")) {
        await piece(workload, "chromium", (side) => browser.openWorkload(workload, side), rounds);
      }
    }
    if (browser && engines.includes("start")) {
      const startUp = [];
      for (const tier of ["baseline", "simd", "threads"]) {
        const ms = [];
        for (let i = 0; i < STARTS; i++) ms.push(await browser.startUp(tier));
        startUp.push({ engine: browser.name, tier, ms });
      }
      keep("start", { startUp });
    }
  } finally {
    await browser?.close();
  }
}

/**
 * @param {string} workload
 * @param {string} name
 * @param {(side: import("./arena.js").Side) => Promise<import("./node.js").Engine>} open
 * @param {number} rounds
 */
async function piece(workload, name, open, rounds) {
  const javaScript = await open("JavaScript");
  try {
    const engine = together(javaScript, await open("wasm"));
    keep(`${workload}-${name}`, { measurements: await measure(engine, workload, rounds) });
    await engine.close();
  } catch (error) {
    await javaScript.close();
    throw error;
  }
}

/** @returns {import("./table.js").Figures} */
function collect() {
  /** @type {import("./table.js").Figures} */
  const figures = { measurements: [], native: [], startUp: [], sizes: sizes() };
  const kept = new Set(readdirSync(KEPT));
  const load = (/** @type {string} */ name) => (kept.has(name) ? JSON.parse(readFileSync(new URL(name, KEPT), "utf8")) : {});
  for (const workload of Object.keys(workloads)) {
    for (const engine of ["node", "chromium"]) {
      figures.measurements.push(...(load(`${workload}-${engine}.json`).measurements ?? []));
    }
  }
  figures.native.push(...(load("native.json").native ?? []));
  figures.startUp.push(...(load("start.json").startUp ?? []));
  return figures;
}

function sizes() {
  return ["baseline", "simd", "threads", "relaxed"].map((tier) => {
    const bytes = readFileSync(new URL(`${tier}.wasm`, MODULES));
    return { tier, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
  });
}

const rounds = Number(options.rounds);
if (!(Number.isInteger(rounds) && rounds > 0)) throw new RangeError(`--rounds: \`${options.rounds}\` is no whole number above 0`);
if (!options.report) {
  await measureAll(choose("--only", options.only, Object.keys(workloads)), choose("--engine", options.engine, ENGINES), rounds);
}
const figures = collect();
writeFileSync(new URL("figures.json", KEPT), JSON.stringify(figures, null, 1));
console.log([speedTable(figures), barTable(figures), sizeTable(figures)].join("\n\n"));
console.error(`all samples: ${fileURLToPath(new URL("figures.json", KEPT))}`);
