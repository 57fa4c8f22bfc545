// A real Chromium. One that is missing is a failure: nothing here can be tested without.

import { accessSync, constants } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian puts it; elsewhere, name it. */
const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

const QUIET = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch(): Promise<Browser> {
  try {
    accessSync(EXECUTABLE, constants.X_OK);
  } catch {
    throw new Error(`there is no Chromium at \`${EXECUTABLE}\`: run scripts/setup test, or set CHROMIUM`);
  }
  return chromium.launch({ executablePath: EXECUTABLE, args: QUIET });
}
