import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Engine where a workload runs
 * @property {string} name
 * @property {string[]} names of the contestants
 * @property {number[]} calls that one run of each makes; figures are of one call
 * @property {boolean} relaxed whether the threads tier has relaxed SIMD here
 * @property {(index: number, runs: number) => Promise<{ wallMs: number, cpuMs: number }>} sample of one run
 * @property {() => Promise<void>} close
 */

/**
 * Node, in a process of its own, so that no workload leaves garbage or type feedback to the next.
 * @param {string} workload
 * @param {import("./arena.js").Side} side
 * @returns {Promise<Engine>}
 */
export async function openNode(workload, side) {
  const child = fork(fileURLToPath(new URL("./node-arena.js", import.meta.url)), [workload, side]);
  const exit = once(child, "exit");
  const answer = async () => {
    const failed = exit.then(([code, signal]) => {
      throw new Error(`node ended with ${signal ?? code} in ${workload}`);
    });
    const [message] = await Promise.race([once(child, "message"), failed]);
    return message;
  };
  const { names, calls, relaxed } = await answer();
  return {
    name: `Node ${process.versions.node}`,
    names,
    calls,
    relaxed,
    sample: (index, runs) => {
      child.send({ index, runs });
      return answer();
    },
    close: async () => {
      child.kill();
      await exit;
    },
  };
}
