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
    /** @param {string} workload @returns {Promise<import("./node.js").Engine>} */
    openWorkload: async (workload) => openWorkload(await open(), workload, processes, `Chromium ${browser.version()}`),
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
 * @param {string} workload
 * @param {() => Promise<number[]>} processes
 * @param {string} name
 * @returns {Promise<import("./node.js").Engine>}
 */
async function openWorkload(page, workload, processes, name) {
  const { names, relaxed, calls } = await ask(page, { open: workload });
  const pids = await processes();
  return {
    name,
    names,
    calls,
    relaxed,
    async sample(index, runs) {
      const before = cpuMs(pids);
      const { wallMs } = await ask(page, { index, runs });
      return { wallMs, cpuMs: (cpuMs(pids) - before) / runs / calls[index] };
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
 * Time on a core of all threads of all of the browser's processes: what a canvas does, it may do in
 * another one. To the nanosecond, unlike what the browser says of itself. Threads that have ended
 * are missing; those of a bench stay.
 * @param {number[]} pids
 */
function cpuMs(pids) {
  let ns = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
  }
  return ns / 1e6;
}
