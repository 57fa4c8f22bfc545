import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launch, open, type Opened } from "./browser.ts";
import { expectAgreement, give, goTo, measure, pick, wasmTiers } from "./page.ts";
import type { Served } from "./server.ts";
import { tomboloUp } from "./tombolo.ts";

// The lab as it is served by Tombolo itself, with the kernels at the edge beside the browser's.
// `TOMBOLO_BIN` names the program. If it is set it has to work: whatever is wrong fails the tests.

const binary = process.env["TOMBOLO_BIN"];
if (binary === undefined) console.warn("TOMBOLO_BIN is not set: the lab is not tested against a real edge.");

describe.skipIf(binary === undefined)("served by Tombolo", () => {
  let browser: Browser;
  let server: Served;
  let lab: Opened;
  const everyone = [...wasmTiers, "Edge"];
  beforeAll(async () => {
    server = await tomboloUp(binary ?? "");
    browser = await launch();
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    lab = await open(browser, server.url);
  });
  afterEach(async () => {
    await lab.close();
    expect(lab.problems).toEqual([]);
  });

  test("the page is isolated and finds its edge", async () => {
    const { page } = lab;
    await page.getByText(/workers, isolated, edge answers/).waitFor();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  test("Fibonacci", async () => {
    const { page } = lab;
    await goTo(page, "Fibonacci");
    await page.getByLabel("n", { exact: true }).press("Home");
    expectAgreement(await measure(page), everyone);
  });

  test("CRC of bytes in memory, and of a file that is streamed", async () => {
    const { page } = lab;
    await goTo(page, "CRC-32");
    await pick(page, "Bytes in memory", "16 MiB, generated");
    expectAgreement(await measure(page), everyone);
    await pick(page, "Computed by", "Edge");
    await give(page, "Choose a file", "check.txt", "text/plain", "123456789");
    await page.getByText("cbf43926").waitFor();
  });

  test("blur", async () => {
    const { page } = lab;
    await goTo(page, "Gaussian blur");
    await pick(page, "Drawn picture", "640 × 400");
    expectAgreement(await measure(page), everyone);
  });

  test("matrix product", async () => {
    const { page } = lab;
    await goTo(page, "Matrix product");
    await pick(page, "Rows and columns", "128");
    expectAgreement(await measure(page), everyone);
  });

  test("sort to text; to an order the edge says why it does not take part", async () => {
    const { page } = lab;
    await goTo(page, "JSON sort");
    await pick(page, "Generated", "10,000");
    await page.getByRole("button", { name: "Make and sort" }).click();
    await page.getByRole("table", { name: "Rows by id, ascending" }).waitFor();
    expect((await measure(page)).get("Edge")?.join()).toMatch(/takes part in sorted text only/);
    await pick(page, "Result", "Sorted text");
    expectAgreement(await measure(page), everyone);
  });
});
