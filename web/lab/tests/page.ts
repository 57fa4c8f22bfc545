import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

// The page as a person uses it: by what controls and results are called.

/** Opens a view by its link, and waits until its heading has the focus: then the page has arrived. */
export async function goTo(page: Page, view: string): Promise<void> {
  const link = page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view });
  const isThere = (await link.getAttribute("aria-current")) === "page";
  await link.click();
  if (!isThere) await page.locator("h1:focus").waitFor();
}

/** Picks one of a few. Their inputs lie under their labels, so the label is what is pressed. */
export async function pick(page: Page, group: string, choice: string): Promise<void> {
  const option = page.getByRole("group", { name: group }).getByText(choice, { exact: true });
  await option.click();
}

/** The rows of the view's table of readings: implementation → its cells, as text. */
export async function readings(page: Page): Promise<Map<string, string[]>> {
  const rows = await page.locator("table.readings tbody tr").all();
  const cells = rows.map(async (row) => [await row.locator("th").innerText(), await row.locator("td").allInnerTexts()] as const);
  return new Map(await Promise.all(cells));
}

/** Measures the view's kernel in three rounds and returns its readings. */
export async function measure(page: Page): Promise<Map<string, string[]>> {
  await pick(page, "Rounds", "3");
  await page.getByRole("button", { name: /^Measure/ }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await finished(page);
  return readings(page);
}

export async function finished(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Measure again" }).waitFor({ timeout: 500_000 });
}

const agreement = /^(?:equal|at most .+ apart(?:, relative)?|equal but for white space)$/;

/** Demands that the first row is the reference and that each of the others named agrees with it. */
export function expectAgreement(rows: Map<string, string[]>, others: readonly string[]): void {
  expect(rows.get("JavaScript")?.at(-1), "JavaScript").toBe("reference");
  for (const name of others) {
    const cells = rows.get(name) ?? [];
    expect(cells, name).toHaveLength(7);
    expect(cells.at(-1), name).toMatch(agreement);
    expect(cells[0], `${name}: kernel time`).toMatch(/^[\d.,]+ (?:s|ms|µs|ns)$/);
    expect(cells[4], `${name}: rate`).toMatch(/^[\d.,]+$/);
  }
}

export const wasmTiers = ["Wasm baseline", "Wasm SIMD", "Wasm threads"] as const;

/** Gives a file to the view's drop zone. */
export async function give(page: Page, label: string, name: string, mimeType: string, text: string): Promise<void> {
  await page.getByLabel(label).setInputFiles({ name, mimeType, buffer: Buffer.from(text) });
}

/** Whether an element with the focus shows it: on itself, or on the label that stands for it. */
export function focusIsVisible(focused: Locator): Promise<boolean> {
  return focused.evaluate((element) => {
    const shown = [element, element.closest("label")].filter((one) => one !== null);
    return shown.some((one) => {
      const style = getComputedStyle(one);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 && style.opacity !== "0";
    });
  });
}
