import { GZIP_BYTES_MOST, NOP_NS_MOST, ONE_THREAD, SPEED_BARS, START_UP_MS_MOST } from "./bars.js";
import { median, quantile, ratio } from "./statistics.js";

/** @typedef {import("./measure.js").Measurement} Measurement */

/**
 * @typedef {object} Figures everything one run of the bench found
 * @property {Measurement[]} measurements in engines
 * @property {import("./native.js").Native[]} native
 * @property {{ engine: string, tier: string, ms: number[] }[]} startUp
 * @property {{ tier: string, raw: number, gzip: number, brotli: number }[]} sizes
 */

/** @param {Figures} figures */
export function speedTable(figures) {
  const head = [
    "| work | engine | who | ms | middle half | CPU ms | x JavaScript | of CPU | x native, 1 thread |",
    "|---|---|---|---|---|---|---|---|---|",
  ];
  const works = [...new Set(figures.measurements.map(({ workload }) => workload))].filter((work) => work !== "nop");
  const lines = works.flatMap((work) => [
    ...figures.measurements.filter(({ workload }) => workload === work).map((found) => speedLine(figures, found)),
    ...figures.native.filter(({ workload }) => workload === work).map((found) => nativeLine(figures, found)),
  ]);
  return [...head, ...lines].join("\n");
}

/**
 * @param {Figures} figures
 * @param {Measurement} measurement
 */
function speedLine(figures, { engine, workload, contestant, wallMs, cpuMs }) {
  const first = figures.measurements.find((other) => other.engine === engine && other.workload === workload);
  const compared = first && first.contestant !== contestant && workload !== "copy";
  const native = oneThread(figures, workload);
  return row([
    workload,
    engine,
    contestant,
    ms(median(wallMs)),
    `${ms(quantile(wallMs, 0.25))} to ${ms(quantile(wallMs, 0.75))}`,
    ms(median(cpuMs)),
    compared ? times(ratio(wallMs, first.wallMs)) : "",
    compared ? times(ratio(cpuMs, first.cpuMs)) : "",
    native ? times(native.wallMs / median(wallMs)) : "",
  ]);
}

/**
 * @param {Figures} figures
 * @param {import("./native.js").Native} native
 */
function nativeLine(figures, { workload, threads, wallMs, cpuMs, spreadMs }) {
  const one = oneThread(figures, workload);
  const who = threads === 1 ? "1 thread" : `${threads} threads`;
  const against = one && threads > 1 ? times(one.wallMs / wallMs) : "";
  return row([workload, "native Rust", who, ms(wallMs), `${ms(spreadMs)} wide`, ms(cpuMs), "", "", against]);
}

/**
 * @param {Figures} figures
 * @param {string} workload
 */
function oneThread({ native }, workload) {
  return native.find((found) => found.workload === workload && found.threads === 1);
}

/** @param {readonly string[]} cells */
function row(cells) {
  return `| ${cells.join(" | ")} |`;
}

/** @param {Figures} figures */
export function barTable(figures) {
  const engines = [...new Set(figures.measurements.map(({ engine }) => engine))];
  const lines = [
    ...SPEED_BARS.flatMap((bar) => engines.map((engine) => speedBar(figures, bar, engine))),
    ...engines.map((engine) => nopBar(figures, engine)),
    ...figures.startUp.map(({ engine, tier, ms: times }) => {
      const found = median(times);
      return `| first result after fetch, ${tier} | ${engine} | below ${START_UP_MS_MOST} ms | ${ms(found)} ms | ${verdict(found < START_UP_MS_MOST)} |`;
    }),
    ...figures.sizes.filter(({ tier }) => tier in GZIP_BYTES_MOST).map(({ tier, gzip }) => (
      `| size, ${tier} | | below ${GZIP_BYTES_MOST[tier]} bytes gzip | ${gzip} | ${verdict(gzip < GZIP_BYTES_MOST[tier])} |`
    )),
  ];
  const head = ["| bar | engine | asked | found | |", "|---|---|---|---|---|"];
  return [...head, ...lines.filter((text) => text !== undefined)].join("\n");
}

/**
 * Nothing where the engine lacks who is compared with: Node has no canvas.
 * @param {Figures} figures
 * @param {import("./bars.js").Bar} bar
 * @param {string} engine
 */
function speedBar(figures, { workload, against, least, who = ONE_THREAD }, engine) {
  const here = figures.measurements.filter((other) => other.engine === engine && other.workload === workload);
  const best = here.filter(({ contestant }) => who.includes(contestant))
    .sort((a, b) => median(a.wallMs) - median(b.wallMs))[0];
  const native = against === "native" ? oneThread(figures, workload) : undefined;
  const other = here.find(({ contestant }) => contestant === against);
  if (!best || !(native ?? other)) return undefined;
  const found = native ? native.wallMs / median(best.wallMs) : ratio(best.wallMs, other?.wallMs ?? []);
  const named = native ? "native, 1 thread" : against;
  return row([`${workload}, ${best.contestant}, against ${named}`, engine, `${least} x`, `${times(found)} x`, verdict(found >= least)]);
}

/**
 * @param {Figures} figures
 * @param {string} engine
 */
function nopBar({ measurements }, engine) {
  const calls = measurements.filter((other) => other.engine === engine && other.workload === "nop");
  if (calls.length === 0) return undefined;
  const worst = Math.max(...calls.map(({ wallMs }) => median(wallMs))) * 1e6;
  return `| empty call, slowest tier | ${engine} | below ${NOP_NS_MOST} ns | ${worst.toFixed(1)} ns | ${verdict(worst < NOP_NS_MOST)} |`;
}

/** @param {Figures} figures */
export function sizeTable({ sizes }) {
  const lines = sizes.map(({ tier, raw, gzip, brotli }) => `| ${tier} | ${raw} | ${gzip} | ${brotli} |`);
  return ["| module | bytes | gzip | brotli |", "|---|---|---|---|", ...lines].join("\n");
}

/** @param {number} value */
function ms(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {number} value */
function times(value) {
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {boolean} met */
function verdict(met) {
  return met ? "met" : "**missed**";
}
