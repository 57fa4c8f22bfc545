import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

/** Quiet, headless, with WebGPU on the processor and a camera that shows a test picture. */
const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    ignoreDefaultArgs: ["--disable-gpu"],
    args: flags,
  });
}

export const desktop = { width: 1360, height: 900 } as const;
export const mobile = { width: 390, height: 844 } as const;

/** A page in a context of its own, and what went wrong in it: the tests demand that nothing did. */
export interface Opened {
  readonly page: Page;
  readonly problems: readonly string[];
  close(): Promise<void>;
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: desktop, ...options });
  // Others use the machine too.
  context.setDefaultTimeout(300_000);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(`thrown: ${error.message}`));
  page.on("console", (message) => {
    // That there is no `/api` is what half of the tests are about; the browser logs it as an error.
    const expected = message.location().url.includes("/api/");
    if (message.type() === "error" && !expected) problems.push(`console: ${message.text()}`);
  });
  await page.goto(url);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return { page, problems, close: () => context.close() };
}
