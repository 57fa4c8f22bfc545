// A Vite app with nothing configured, and the package as npm would install it: served while it is
// developed, and built. Its hooks load kernels and run them, under React's strict mode.

import { access, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { build, createServer, type InlineConfig, preview } from "vite";
import { launch } from "./chromium.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const EXPECTED = { kernels: "ready", blur: "done", pixel: 100, crc32: "cbf43926", first: '{"n":1}' };

let browser: Browser;
let root: string;
beforeAll(async () => {
  await mkdir(join(PACKAGE, "build"), { recursive: true });
  // Inside this folder, so that the app finds React; a copy of the package and not a link to it, so
  // that Vite treats it as a dependency and bundles it beforehand.
  root = await mkdtemp(join(PACKAGE, "build/app-"));
  await cp(join(PACKAGE, "tests/fixture"), root, { recursive: true });
  const installed = join(root, "node_modules/@tombolo/web");
  for (const part of ["dist", "package.json"]) await cp(join(PACKAGE, part), join(installed, part), { recursive: true });
  for (const name of ["react", "react-dom"]) {
    await symlink(join(PACKAGE, "../node_modules", name), join(root, "node_modules", name));
  }
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  if (root) await rm(root, { recursive: true });
});

function configuration(headers: Record<string, string>): InlineConfig {
  const server = { port: 0, host: "127.0.0.1", headers };
  return { root, configFile: false, logLevel: "error", server: { ...server, hmr: false }, preview: server };
}

/** What the page shows when all its work has ended. */
async function shown(url: string): Promise<unknown> {
  const tab = await browser.newPage();
  const said: string[] = [];
  tab.on("console", (message) => said.push(message.text()));
  tab.on("pageerror", (error) => said.push(error.message));
  try {
    await tab.goto(url);
    await tab.waitForFunction("/\"blur\":\"done\".*\"n\\\\\"/.test(document.querySelector('output')?.textContent)", undefined, { timeout: 300_000 });
    return JSON.parse((await tab.textContent("output"))!);
  } catch (error) {
    throw new Error(`${error}\nthe page shows ${await tab.textContent("body")}\nand said ${said.join("\n")}`);
  } finally {
    await tab.close();
  }
}

it.each([
  ["isolated", ISOLATION, "threads"],
  ["not isolated", {}, "simd"],
] as const)("works in Vite's server, %s", async (_, headers, tier) => {
  const server = await createServer(configuration(headers));
  try {
    await server.listen();
    expect(await shown(server.resolvedUrls!.local[0]!)).toMatchObject({ ...EXPECTED, tier });
    await access(join(root, "node_modules/.vite/deps/@tombolo_web_react.js")); // It was bundled beforehand.
  } finally {
    await server.close();
  }
});

it.each([
  ["isolated", ISOLATION, "threads"],
  ["not isolated", {}, "simd"],
] as const)("works when Vite has built it, %s", async (_, headers, tier) => {
  await build(configuration(headers));
  const server = await preview(configuration(headers));
  try {
    expect(await shown(server.resolvedUrls!.local[0]!)).toMatchObject({ ...EXPECTED, tier });
  } finally {
    await server.close();
  }
});
