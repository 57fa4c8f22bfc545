// The page's program: runs one test by its name, and answers what went wrong with it.

import { loadKernels, type LoadOptions } from "@tombolo/web";
import * as aborting from "./aborting.js";
import * as buffers from "./buffers.js";
import type { Cases, LoadingCases } from "./check.js";
import * as loading from "./loading.js";
import * as operations from "./operations.js";

/** Tests that run on each tier. */
export const onTiers: Cases = { ...operations.cases, ...buffers.cases, ...aborting.cases };
export const onLoading: Readonly<Record<"isolated" | "bare" | "broken", LoadingCases>> = {
  ...loading.cases,
  broken: loading.broken,
};

/** What is wrong, or nothing. */
type Verdict = string | undefined;

async function verdict(test: () => Promise<void> | void): Promise<Verdict> {
  try {
    await test();
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

export interface Page {
  onTier(options: LoadOptions, name: string): Promise<Verdict>;
  onLoading(kind: keyof typeof onLoading, name: string): Promise<Verdict>;
}

export const page: Page = {
  onTier: (options, name) =>
    verdict(async () => {
      const kernels = await loadKernels(options);
      try {
        await onTiers[name]!(kernels);
      } finally {
        await kernels.close();
      }
    }),
  onLoading: (kind, name) => verdict(onLoading[kind][name]!),
};
