import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** What the native program calls a workload of ours. */
const WORKLOADS = new Map([
  ["fibonacci fib(40)", "fibonacci"],
  ["crc32 64 MiB", "crc32"],
  ["matmul 1000 f32", "matmul"],
  ["blur 4K sigma 3", "blur"],
  ["preprocess 3840x2160 to 640x640", "preprocess"],
  ["sort 1000000 rows to permutation", "sort"],
  ["sort 1000000 rows to bytes", "sort-bytes"],
]);

/**
 * Medians of one workload on one number of threads; `spreadMs` is between the quartiles.
 * @typedef {{ workload: string, threads: number, wallMs: number, cpuMs: number, spreadMs: number }} Native
 */

/**
 * The same kernels in a native program, on one thread and on all cores.
 * @returns {Native[]}
 */
export function measureNative() {
  const example = ["run", "--release", "--quiet", "-p", "tombolo-kernels", "--features", "rayon", "--example", "native-figures"];
  return readNative(execFileSync("cargo", example, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
}

/**
 * @param {string} lines as the native program writes them
 * @returns {Native[]}
 */
export function readNative(lines) {
  return lines.trim().split("\n").map((line) => {
    const { kernel, what, threads, wall_ms: wallMs, cpu_ms: cpuMs, spread_ms: spreadMs } = JSON.parse(line);
    const workload = WORKLOADS.get(`${kernel} ${what}`);
    if (workload === undefined) throw new Error(`the native program measured \`${kernel} ${what}\`, which nothing is compared with`);
    return { workload, threads, wallMs, cpuMs, spreadMs };
  });
}
