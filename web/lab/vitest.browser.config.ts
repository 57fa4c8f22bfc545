import { defineConfig } from "vitest/config";

/** Whole-lab tests: the built page in Chromium. One at a time, because they measure. */
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
