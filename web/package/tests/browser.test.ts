// Everything in tests/page, in a real Chromium: on each tier, with cross-origin isolation and without.

import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tier } from "../src/types.js";
import { launch } from "./chromium.js";
import { onLoading, onTiers, type Page } from "../build/page/main.js";
import { type Behaviour, type Running, serve } from "./server.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

/** A page of a server that behaves so, for all tests of a group. */
function open(behaviour: Behaviour): { tab: () => Tab } {
  let server: Running;
  let tab: Tab;
  beforeAll(async () => {
    server = await serve(behaviour);
    tab = await browser.newPage();
    tab.on("console", (message) => console.log(`page: ${message.text()}`));
    await tab.goto(server.url);
    await tab.waitForFunction("globalThis.ready");
    expect(await tab.evaluate("crossOriginIsolated")).toBe(behaviour.isolated);
  });
  afterAll(async () => {
    await tab?.close();
    await server?.close();
  });
  return { tab: () => tab };
}

declare const page: Page;

function onEachTier(tier: Tier, isolated: boolean): void {
  describe(`${tier}, ${isolated ? "isolated" : "not isolated"}`, () => {
    const { tab } = open({ isolated });
    it.each(Object.keys(onTiers))("%s", async (name) => {
      expect(await tab().evaluate(([tier, name]) => page.onTier({ tier, workers: 2 }, name), [tier, name] as const)).toBeUndefined();
    });
  });
}

onEachTier("threads", true);
onEachTier("simd", true);
onEachTier("baseline", true);
onEachTier("simd", false);
onEachTier("baseline", false);

function loading(title: string, kind: keyof typeof onLoading, behaviour: Behaviour): void {
  describe(title, () => {
    const { tab } = open(behaviour);
    it.each(Object.keys(onLoading[kind]))("%s", async (name) => {
      expect(await tab().evaluate(([kind, name]) => page.onLoading(kind, name), [kind, name] as const)).toBeUndefined();
    });
  });
}

loading("loading, isolated", "isolated", { isolated: true });
loading("loading, not isolated", "bare", { isolated: false });
loading("workers that are missing", "broken", { isolated: true, worker: "missing" });
loading("workers that throw", "broken", { isolated: false, worker: "throwing" });
