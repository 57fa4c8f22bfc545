// The arena of one workload in a Node process of its own: `main.js` forks it and tells it what to run.

import { Worker } from "node:worker_threads";
import { openArena } from "./arena.js";

const send = (/** @type {unknown} */ answer) => void process.send?.(answer);

const arena = await openArena(process.argv[2], /** @type {import("./arena.js").Side} */ (process.argv[3]), (url) => {
  const worker = new Worker(url);
  worker.on("error", (error) => { throw error; });
  worker.unref(); // It waits for ever.
  return worker;
});

process.on("message", (/** @type {{ index: number, runs: number }} */ { index, runs }) => {
  const before = process.cpuUsage(); // Of all threads.
  const { wallMs } = arena.sample(index, runs);
  const used = process.cpuUsage(before);
  send({ wallMs, cpuMs: (used.user + used.system) / 1e3 / runs / arena.calls[index] });
});

arena.warmUp();
send({ names: arena.names, calls: arena.calls, relaxed: arena.relaxed });
