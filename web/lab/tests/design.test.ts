import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, mobile, open, type Opened } from "./browser.ts";
import { focusIsVisible, give, goTo, measure, pick } from "./page.ts";
import { serveLab, type Served } from "./server.ts";

// How it looks and how it is used: themes, keyboard, a telephone's width, results taken out.

let browser: Browser;
let server: Served;
beforeAll(async () => {
  browser = await launch();
  server = await serveLab("isolated");
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const views = ["Overview", "Gaussian blur", "JSON sort", "CRC-32", "Matrix product", "Resize", "Fibonacci"];

async function within(options: Parameters<typeof open>[2], work: (lab: Opened) => Promise<void>): Promise<void> {
  const lab = await open(browser, server.url, options);
  try {
    await work(lab);
    expect(lab.problems).toEqual([]);
  } finally {
    await lab.close();
  }
}

const ground = (page: Page): Promise<string> =>
  page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

test("the theme follows the system until it is chosen, and the choice is kept", async () => {
  await within({ colorScheme: "dark" }, async ({ page }) => {
    const dark = await ground(page);
    await pick(page, "Theme", "Light");
    const light = await ground(page);
    expect(light).not.toBe(dark);
    await page.reload();
    expect(await ground(page)).toBe(light);
    await pick(page, "Theme", "Auto");
    expect(await ground(page)).toBe(dark);
  });
});

test.each(["light", "dark"] as const)("text stands out from its ground, %s", async (colorScheme) => {
  await within({ colorScheme, reducedMotion: "reduce" }, async ({ page }) => {
    for (const view of views) {
      await goTo(page, view);
      expect(await faintTexts(page), view).toEqual([]);
    }
  });
});

/** Texts with less than 4.5 to 1 against the ground behind them (WCAG 2.2, 1.4.3), but for disabled controls. */
function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })!;
    const luminance = (colour: string): number => {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((level) => {
        const share = level / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const behind = (element: Element): string => {
      for (let at: Element | null = element; at !== null; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at);
        if (!/^rgba\(0, 0, 0, 0\)$|^transparent$/.test(backgroundColor)) return backgroundColor;
      }
      return "white";
    };
    const faint: string[] = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      if (!own || element.closest(":disabled, .hidden, .skip, :has(> :disabled)") || element.checkVisibility() === false) continue;
      const [one, two] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
      const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      if (contrast < 4.5) faint.push(`${element.textContent?.slice(0, 30)}: ${contrast.toFixed(2)}`);
    }
    return faint;
  });
}

test("the keyboard reaches every control, and one sees where it is", async () => {
  await within({}, async ({ page }) => {
    for (const view of views) {
      await goTo(page, view);
      await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
      const wanted = await page.locator("a[href]:visible, button:enabled, input:enabled").evaluateAll((all) => {
        // Of radio buttons of one name, the keyboard stops at one.
        const stops = all.filter((one) => !(one instanceof HTMLInputElement && one.type === "radio" && !one.checked));
        return stops.filter((one) => (one as HTMLElement).tabIndex >= 0).length;
      });
      const reached = new Set<string>();
      for (let press = 0; press < wanted + 4; press += 1) {
        await page.keyboard.press("Tab");
        const focused = page.locator(":focus");
        if ((await focused.count()) === 0) continue;
        const what = await focused.evaluate((one) => one.outerHTML.slice(0, 120));
        expect(await focusIsVisible(focused), `${view}: ${what}`).toBe(true);
        reached.add(await focused.evaluate((one) => String([...document.querySelectorAll("*")].indexOf(one))));
      }
      expect(reached.size, view).toBeGreaterThanOrEqual(wanted);
    }
  });
});

test("a view is gone to, and used, without a mouse", async () => {
  await within({}, async ({ page }) => {
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").innerText()).toBe("Skip to the view");
    await page.keyboard.press("Enter");
    expect(await page.locator(":focus").evaluate((one) => one.tagName)).toBe("H1");
    await page.getByRole("link", { name: "JSON sort" }).first().focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(":focus").innerText()).toBe("JSON sort");
    await expect.poll(() => page.title()).toBe("JSON sort – Tombolo Lab");
  });
});

test("a list of any length is walked by keys", async () => {
  await within({}, async ({ page }) => {
    await goTo(page, "JSON sort");
    await pick(page, "Generated", "100,000");
    await page.getByRole("button", { name: "Make and sort" }).click();
    const list = page.getByRole("table", { name: /^Rows by id/ });
    await list.focus();
    const first = (): Promise<string> => list.locator(".list-row span").first().innerText();
    for (const [key, position] of [
      ["ArrowDown", "2"],
      ["PageDown", "13"],
      ["ArrowUp", "12"],
      ["End", "99,989"],
      ["Home", "1"],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(first, { message: key }).toBe(position);
    }
    const ids = (): Promise<string[]> => list.locator(".list-row span:nth-child(3)").allInnerTexts();
    await page.keyboard.press("End");
    await expect.poll(first).toBe("99,989");
    const last = (await ids()).map(Number);
    expect(last).toEqual([...last].sort((one, two) => one - two));
  });
});

test("at 390 pixels nothing has to be scrolled sideways", async () => {
  await within({ viewport: mobile }, async ({ page }) => {
    const width = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth);
    for (const view of views) {
      await goTo(page, view);
      expect(await width(), view).toBeLessThanOrEqual(mobile.width);
    }
    await measure(page);
    expect(await width(), "with readings").toBeLessThanOrEqual(mobile.width);
    await goTo(page, "JSON sort");
    await give(page, "Choose a JSON file", "bad.json", "application/json", `[{"id":"${"x".repeat(400)}",}]`);
    await page.getByRole("alert").waitFor();
    expect(await width(), "with an error").toBeLessThanOrEqual(mobile.width);
    await pick(page, "Generated", "10,000");
    await page.getByRole("button", { name: "Make and sort" }).click();
    await page.getByRole("table", { name: /^Rows by id/ }).waitFor();
    expect(await width(), "with rows").toBeLessThanOrEqual(mobile.width);
  });
});

test("reduced motion is no motion", async () => {
  await within({ reducedMotion: "reduce" }, async ({ page }) => {
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((one) => {
        const { transitionDuration, animationName } = getComputedStyle(one);
        return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
      }).length,
    );
    expect(moving).toBe(0);
  });
});

test("results are taken out as JSON and as Markdown", async () => {
  await within({}, async ({ page }) => {
    await goTo(page, "Fibonacci");
    await page.getByLabel("n", { exact: true }).press("Home");
    await measure(page);
    const saved = async (button: string): Promise<string> => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
      return readFile(await download.path(), "utf8");
    };
    const exported = JSON.parse(await saved("Save JSON"));
    expect(exported).toMatchObject({
      version: 1,
      environment: { state: "known", kernels: { tier: "threads" } },
      reports: [{ kernel: "fibonacci", subject: "fibonacci(20)", rounds: 3, readings: { edge: { state: "absent" } } }],
    });
    expect(exported.reports[0].readings.simd.samples).toHaveLength(3);
    expect(await saved("Save Markdown")).toMatch(/\*\*Fibonacci\*\*: fibonacci\(20\).*\n\n\| Implementation \|/);
  });
});

test("the table is copied", async () => {
  await within({ permissions: ["clipboard-read", "clipboard-write"] }, async ({ page }) => {
    await goTo(page, "Fibonacci");
    await page.getByLabel("n", { exact: true }).press("Home");
    await measure(page);
    await page.getByRole("button", { name: "Copy table" }).click();
    await page.getByText("Copied.").waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("| JavaScript |");
  });
});
