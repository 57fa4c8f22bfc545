import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * The same kernels in a native program: samples by workload, on one thread and on two.
 * @param {readonly string[]} workloads
 * @param {number} rounds
 * @returns {{ workload: string, threads: number, wallMs: number[], cpuMs: number[] }[]}
 */
export function measureNative(workloads, rounds) {
  const example = ["run", "--release", "--quiet", "-p", "tombolo-kernels", "--example", "native-figures", "--"];
  const lines = execFileSync("cargo", [...example, "--rounds", String(rounds), ...workloads], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 24,
  });
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

/** Those that the native program knows. */
export const NATIVE_WORKLOADS = ["fibonacci", "crc32", "matmul", "blur", "preprocess", "sort", "sort-bytes"];
