import { mkdtemp, open as openFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch, open, type Opened } from "./browser.ts";
import { expectAgreement, finished, give, goTo, measure, pick } from "./page.ts";
import { serveLab, type Served } from "./server.ts";

// What goes wrong is told where it went wrong, and the page goes on.

let browser: Browser;
let server: Served;
let lab: Opened;
beforeAll(async () => {
  browser = await launch();
  server = await serveLab("isolated");
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  lab = await open(browser, server.url);
});
afterEach(() => lab.close());

test("a measurement that is stopped keeps its readings and can be started again", async () => {
  const { page } = lab;
  await goTo(page, "Gaussian blur");
  await pick(page, "Rounds", "15");
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await page.getByText(/Round \d+ of 15/).waitFor({ timeout: 300_000 });
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("What was measured until then is below.").waitFor();
  await pick(page, "Drawn picture", "640 × 400");
  expectAgreement(await measure(page), ["Wasm baseline", "Wasm SIMD", "Wasm threads"]);
  expect(lab.problems).toEqual([]);
});

test("Run all stops between and within kernels", async () => {
  const { page } = lab;
  await page.getByRole("button", { name: "Run all" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Run all" }).waitFor();
  expect(lab.problems).toEqual([]);
});

test.each(["JavaScript", "Wasm threads"])("a file of a gigabyte that is being summed by %s can be stopped", async (name) => {
  const { page } = lab;
  const folder = await mkdtemp(join(tmpdir(), "tombolo-lab-"));
  const path = join(folder, "large.bin");
  const file = await openFile(path, "w");
  await file.truncate(2 ** 30); // A hole: it has the length and takes no room.
  await file.close();
  await goTo(page, "CRC-32");
  await pick(page, "Computed by", name);
  await page.getByLabel("Choose a file").setInputFiles(path);
  await page.getByRole("progressbar").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("The file was not read to its end.").waitFor();
  await give(page, "Choose a file", "check.txt", "text/plain", "123456789");
  await page.getByText("cbf43926").waitFor();
  await rm(folder, { recursive: true });
  expect(lab.problems).toEqual([]);
});

test.each([
  ["a missing row", '[{"id":1},,{"id":2}]', 10],
  ["a text that ends early", '[{"id":1},{"id":', 16],
  ["no JSON at all", "island,height\n1,2", 0],
])("JSON with %s is refused with the byte", async (_, text, offset) => {
  const { page } = lab;
  await goTo(page, "JSON sort");
  await give(page, "Choose a JSON file", "bad.json", "application/json", text);
  const alert = page.getByRole("alert");
  await alert.waitFor();
  const said = await alert.innerText();
  expect(said).toContain("This is not valid JSON");
  expect(said).toContain(`byte ${offset}`);
  expect(await alert.locator("mark").innerText()).toBe(text[offset] ?? "end of the text");
  // And the view is as good as before.
  await give(page, "Choose a JSON file", "good.json", "application/json", '[{"id":2},{"id":1}]');
  await page.getByRole("table", { name: "Rows by id, ascending" }).waitFor();
  expect(lab.problems).toEqual([]);
});

test.each([
  ["an object", '{"id":1}', "This is not an array of objects"],
  ["an array of numbers", "[1,2]", "This is not an array of objects"],
])("%s is refused in words", async (_, text, title) => {
  const { page } = lab;
  await goTo(page, "JSON sort");
  await give(page, "Choose a JSON file", "bad.json", "application/json", text);
  await page.getByRole("alert").getByText(title).waitFor();
});

test("an empty segment of a key is refused in words", async () => {
  const { page } = lab;
  await goTo(page, "JSON sort");
  await page.getByLabel("Key").fill("wind..speed");
  await give(page, "Choose a JSON file", "rows.json", "application/json", '[{"id":1}]');
  await page.getByRole("alert").getByText("That key cannot be used").waitFor();
});

test("a file that is no picture is refused by name", async () => {
  const { page } = lab;
  await goTo(page, "Gaussian blur");
  await give(page, "Choose a file", "notes.png", "image/png", "not a picture");
  await page.getByRole("alert").getByText("notes.png is not a picture that this browser can read").waitFor();
  await pick(page, "Drawn picture", "640 × 400");
  await page.getByText("A tombolo, drawn, 640 × 400").waitFor();
});

test("a tier that cannot be fetched fails alone", async () => {
  const { page } = lab;
  await page.route(/simd-.*\.wasm$/, (route) => route.fulfill({ status: 503, body: "" }));
  await goTo(page, "Fibonacci");
  await page.getByLabel("n", { exact: true }).press("Home");
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await finished(page);
  const row = page.getByRole("row").filter({ hasText: "Wasm SIMD" });
  expect(await row.innerText()).toContain("The kernels could not be loaded");
  const others = page.getByRole("row").filter({ hasText: "equal" });
  expect(await others.count()).toBe(2);
});

test("without any kernels the page says so and JavaScript is still measured", async () => {
  const { page } = lab;
  await page.route(/\.wasm$/, (route) => route.abort());
  await page.reload();
  await page.getByText("No kernels").waitFor();
  await goTo(page, "Fibonacci");
  await page.getByLabel("n", { exact: true }).press("Home");
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await finished(page);
  expect(await page.locator('tr[data-who="javascript"]').innerText()).toContain("reference");
});
