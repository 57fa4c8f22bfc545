import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launch, open, type Opened } from "./browser.ts";
import { expectAgreement, give, goTo, measure, pick, readings, wasmTiers } from "./page.ts";
import { serveLab, type Served } from "./server.ts";

// Every view computes, and what everyone computes is the same.

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

describe("on an isolated page", () => {
  let server: Served;
  let lab: Opened;
  beforeAll(async () => {
    server = await serveLab("isolated");
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    lab = await open(browser, server.url);
  });
  afterEach(async () => {
    await lab.close();
    expect(lab.problems).toEqual([]);
  });

  test("blur", async () => {
    const { page } = lab;
    await goTo(page, "Gaussian blur");
    await pick(page, "Drawn picture", "640 × 400");
    const rows = await measure(page);
    expectAgreement(rows, wasmTiers);
    expect(rows.get("Edge")).toEqual(["no server: /api answered 404"]);
  });

  test("the divider shows the picture as it is, and blurred", async () => {
    const { page } = lab;
    await goTo(page, "Gaussian blur");
    await pick(page, "Drawn picture", "640 × 400");
    await page.getByText("Kernel", { exact: true }).first().waitFor();
    const sharpness = (label: string): Promise<number> =>
      page.getByLabel(label, { exact: true }).evaluate((canvas: HTMLCanvasElement) => {
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        let sum = 0;
        for (let at = 4; at < data.length; at += 4) sum += Math.abs(data[at]! - data[at - 4]!);
        return sum / (data.length / 4);
      });
    await expect.poll(() => sharpness("The picture, blurred"), { timeout: 120_000 }).toBeGreaterThan(0);
    expect(await sharpness("The picture, blurred")).toBeLessThan((await sharpness("The picture as it is")) / 2);
  });

  test("camera frames are blurred as they come", async () => {
    const { page } = lab;
    await goTo(page, "Gaussian blur");
    await page.getByRole("button", { name: "Camera" }).click();
    await page.getByText("Frames", { exact: true }).waitFor();
    await page.getByText(/fake.*, playing/i).waitFor();
  });

  test("sort, to an order and to text", async () => {
    const { page } = lab;
    await goTo(page, "JSON sort");
    await pick(page, "Generated", "10,000");
    await page.getByRole("button", { name: "Make and sort" }).click();
    const list = page.getByRole("table", { name: "Rows by id, ascending" });
    await list.waitFor();
    expect(await list.getAttribute("aria-rowcount")).toBe("10001");
    expectAgreement(await measure(page), wasmTiers);
    await pick(page, "Result", "Sorted text");
    expectAgreement(await measure(page), wasmTiers);
  });

  test("rows of a file, by a dotted key, are listed in order", async () => {
    const { page } = lab;
    await goTo(page, "JSON sort");
    await page.getByLabel("Key").fill("wind.speed");
    await give(page, "Choose a JSON file", "winds.json", "application/json", '[{"wind":{"speed":20}},{"wind":{"speed":3}},{"at":"x"}]');
    const list = page.getByRole("table", { name: "Rows by wind.speed, ascending" });
    await list.waitFor();
    const origins = await list.locator(".list-row span:nth-child(2)").allInnerTexts();
    expect(origins).toEqual(["3", "2", "1"]);
  });

  test("CRC of bytes in memory", async () => {
    const { page } = lab;
    await goTo(page, "CRC-32");
    await pick(page, "Bytes in memory", "16 MiB, generated");
    expectAgreement(await measure(page), wasmTiers);
  });

  test.each(["JavaScript", "Wasm baseline", "Wasm SIMD", "Wasm threads"])("CRC of a file by %s", async (name) => {
    const { page } = lab;
    await goTo(page, "CRC-32");
    await pick(page, "Computed by", name);
    await give(page, "Choose a file", "check.txt", "text/plain", "123456789");
    // The check value that every description of this CRC gives.
    await page.getByText("cbf43926").waitFor();
  });

  test.each(["f32", "f64"])("matrix product in %s", async (precision) => {
    const { page } = lab;
    await goTo(page, "Matrix product");
    await pick(page, "Rows and columns", "128");
    await pick(page, "Precision", precision);
    expectAgreement(await measure(page), wasmTiers);
    await page.getByRole("img", { name: "Matrix C, 128 by 128, sampled" }).waitFor();
  });

  test.each(["Tensor", "Picture"])("resize into a %s", async (into) => {
    const { page } = lab;
    await goTo(page, "Resize");
    await pick(page, "Drawn picture", "640 × 400");
    await pick(page, "To", "224 × 224");
    await pick(page, "As", into);
    expectAgreement(await measure(page), wasmTiers);
  });

  test("Fibonacci", async () => {
    const { page } = lab;
    await goTo(page, "Fibonacci");
    await page.getByLabel("n", { exact: true }).press("Home");
    await page.getByText("21,891").waitFor();
    expectAgreement(await measure(page), wasmTiers);
  });

  test("all kernels at once, in the chart and in the table", async () => {
    const { page } = lab;
    await pick(page, "Rounds", "3");
    await page.getByRole("button", { name: "Run all" }).click();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await page.getByRole("button", { name: "Run all" }).waitFor({ timeout: 500_000 });
    const rows = await readings(page);
    expect(rows.size).toBe(6);
    for (const [kernel, cells] of rows) {
      expect(cells.slice(1, 4).every((cell) => cell.includes("×")), `${kernel}: ${cells.join(" | ")}`).toBe(true);
    }
    const chart = await page.getByRole("img", { name: /^Chart of speed/ }).getAttribute("aria-label");
    expect(chart).toMatch(/Gaussian blur: Wasm baseline ×.*Fibonacci: .*Wasm threads ×/);
  });

  test("the environment is told", async () => {
    const { page } = lab;
    const facts = page.getByRole("region", { name: "Environment" });
    await facts.getByText("threads, 2 workers").or(facts.getByText(/threads, \d+ workers?/)).waitFor();
    expect(await facts.innerText()).toMatch(/WebGPU\s+google swiftshader; fallback adapter, on the processor/);
  });
});

describe("on a page that is not isolated", () => {
  test("threads say why not, and the others compute", async () => {
    const server = await serveLab("not isolated");
    const lab = await open(browser, server.url);
    const { page } = lab;
    await page.getByText("Why not a better tier").waitFor();
    await page.getByText("Tier: simd").waitFor();
    await goTo(page, "Matrix product");
    await pick(page, "Rows and columns", "128");
    const rows = await measure(page);
    expectAgreement(rows, ["Wasm baseline", "Wasm SIMD"]);
    expect(rows.get("Wasm threads")?.join(" ")).toMatch(/isolat/i);
    await lab.close();
    await server.close();
    expect(lab.problems).toEqual([]);
  });
});
