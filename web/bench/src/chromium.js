import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./server.js";

const FLAGS = [
  "--no-sandbox", // Tests and figures run as root in containers.
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];

/** A browser and the server of its pages. */
export async function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const server = await serve(fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, ""));
  const session = await browser.newBrowserCDPSession();
  const processes = async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return processInfo.map(({ id }) => id);
  };
  const open = async () => {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/bench/src/page.html`);
    await page.waitForFunction("typeof ask === 'function'");
    return page;
  };
  return {
    name: `Chromium ${browser.version()}`,
    /**
     * @param {string} workload
     * @param {import("./arena.js").Side} side
     * @returns {Promise<import("./node.js").Engine>}
     */
    openWorkload: async (workload, side) => openWorkload(await open(), { open: workload, side }, processes, `Chromium ${browser.version()}`),
    /** @param {string} tier @returns {Promise<number>} ms from a fetch to the first result */
    async startUp(tier) {
      const page = await open(); // A new renderer, which has compiled nothing yet.
      const { ms } = await ask(page, { startUp: tier });
      await page.close();
      return ms;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/**
 * @param {import("playwright-core").Page} page
 * @param {{ open: string, side: import("./arena.js").Side }} request
 * @param {() => Promise<number[]>} processes
 * @param {string} name
 * @returns {Promise<import("./node.js").Engine>}
 */
async function openWorkload(page, request, processes, name) {
  const { names, relaxed, calls } = await ask(page, request);
  return {
    name,
    names,
    calls,
    relaxed,
    async sample(index, runs) {
      const pids = await processes();
      const before = cpuNs(pids);
      const { wallMs } = await ask(page, { index, runs });
      let ns = 0;
      for (const [thread, after] of cpuNs(pids)) ns += after - (before.get(thread) ?? 0);
      return { wallMs, cpuMs: ns / 1e6 / runs / calls[index] };
    },
    close: () => page.close(),
  };
}

/**
 * @param {import("playwright-core").Page} page
 * @param {object} request
 * @returns {Promise<any>}
 */
function ask(page, request) {
  return page.evaluate((request) => /** @type {any} */ (globalThis).ask(request), request);
}

/**
 * Time on a core of each thread of all of the browser's processes: what a canvas does, it may do in
 * another one. To the nanosecond, unlike what the browser says of itself. A thread that ends while a
 * sample is taken is not counted; those that compute stay.
 * @param {number[]} pids
 * @returns {Map<string, number>}
 */
function cpuNs(pids) {
  const times = new Map();
  for (const pid of pids) {
    for (const thread of unlessGone(() => readdirSync(`/proc/${pid}/task`)) ?? []) {
      const line = unlessGone(() => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"));
      if (line !== undefined) times.set(thread, Number(line.split(" ")[0]));
    }
  }
  return times;
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T | undefined}
 */
function unlessGone(read) {
  try {
    return read();
  } catch (error) {
    const code = /** @type {NodeJS.ErrnoException} */ (error).code;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
