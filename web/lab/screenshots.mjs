// Takes the pictures of docs/lab.md: `node screenshots.mjs URL [FOLDER]`, of a lab that `make lab` serves.
// Measures at full inputs, so nothing else should run meanwhile.
import { chromium } from "playwright-core";

const [url, folder = new URL("../../docs/images", import.meta.url).pathname] = process.argv.slice(2);
if (url === undefined) {
  console.error("usage: node screenshots.mjs URL [FOLDER]");
  process.exit(2);
}

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});

/** A page at `place` in `theme`, `use`d and then taken as it is seen, or whole. */
async function take(name, place, { theme = "light", width = 1360, height = 900, whole = false }, use) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  const page = await context.newPage();
  await page.goto(new URL(`#/${place}`, url).href);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await use(page);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${folder}/lab-${name}.png`, fullPage: whole });
  await context.close();
  console.log(`${folder}/lab-${name}.png`);
}

const pick = (page, group, choice) =>
  page.getByRole("group", { name: group }).getByText(choice, { exact: true }).click();

async function measure(page, rounds) {
  await pick(page, "Rounds", rounds);
  await page.getByRole("button", { name: /^Measure/ }).click();
  await page.getByRole("button", { name: "Measure again" }).waitFor({ timeout: 300_000 });
}

try {
  await take("overview", "", { height: 1200 }, async (page) => {
    await pick(page, "Inputs", "Full: 4K, 1,000,000 rows, 64 MiB");
    await pick(page, "Rounds", "5");
    await page.getByRole("button", { name: "Run all" }).click();
    await page.getByRole("button", { name: "Run all" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Run all" }).waitFor({ timeout: 600_000 });
  });
  await take("blur", "blur", { theme: "dark", height: 1000 }, async (page) => {
    await page.getByText("Kernel", { exact: true }).first().waitFor();
    await measure(page, "5");
  });
  await take("sort", "sort", { whole: true }, async (page) => {
    await pick(page, "Generated", "1,000,000");
    await page.getByRole("button", { name: "Make and sort" }).click();
    await page.getByRole("table", { name: "Rows by id, ascending" }).waitFor({ timeout: 60_000 });
    await measure(page, "5");
  });
  await take("telephone", "matmul", { theme: "dark", width: 390, height: 844 }, (page) => measure(page, "3"));
} finally {
  await browser.close();
}
