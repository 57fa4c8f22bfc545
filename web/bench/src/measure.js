/** What one sample should take at least, so that a clock and a message do not count. */
const SAMPLE_MS_LEAST = 60;
const RUNS_MOST = 100;

/**
 * @typedef {object} Measurement
 * @property {string} engine
 * @property {string} workload
 * @property {string} contestant
 * @property {boolean} relaxed
 * @property {number[]} wallMs by round
 * @property {number[]} cpuMs by round
 */

/**
 * One engine for the contestants of two: of both sides of a workload.
 * @param {import("./node.js").Engine} first
 * @param {import("./node.js").Engine} second
 * @returns {import("./node.js").Engine}
 */
export function together(first, second) {
  const count = first.names.length;
  return {
    name: second.name,
    names: [...first.names, ...second.names],
    calls: [...first.calls, ...second.calls],
    relaxed: second.relaxed,
    sample: (index, runs) => (index < count ? first.sample(index, runs) : second.sample(index - count, runs)),
    close: async () => {
      await first.close();
      await second.close();
    },
  };
}

/**
 * All contestants of one workload, one after the other within each round, since machines change
 * their speed. Each was run once before, and runs twice more to find how many runs a sample takes.
 * @param {import("./node.js").Engine} engine
 * @param {string} workload
 * @param {number} rounds
 * @returns {Promise<Measurement[]>}
 */
export async function measure(engine, workload, rounds) {
  const runs = [];
  for (const index of engine.names.keys()) {
    await engine.sample(index, 1);
    const { wallMs } = await engine.sample(index, 1);
    const sampleMs = wallMs * engine.calls[index];
    runs.push(Math.max(1, Math.min(RUNS_MOST, Math.ceil(SAMPLE_MS_LEAST / sampleMs))));
  }
  const { name, relaxed } = engine;
  const all = engine.names.map((contestant) => (
    { engine: name, workload, contestant, relaxed, wallMs: /** @type {number[]} */ ([]), cpuMs: /** @type {number[]} */ ([]) }
  ));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { wallMs, cpuMs }] of all.entries()) {
      const sample = await engine.sample(index, runs[index]);
      wallMs.push(sample.wallMs);
      cpuMs.push(sample.cpuMs);
    }
  }
  return all;
}
