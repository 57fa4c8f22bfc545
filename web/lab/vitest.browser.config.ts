import { defineConfig } from "vitest/config";

/** Whole-lab tests: the built page in Chromium. One at a time, because they measure. */
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
