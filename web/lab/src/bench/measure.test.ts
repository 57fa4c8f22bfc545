import { expect, test } from "vitest";
import { agreeExactly } from "./agreement.ts";
import { Absent, type Bench, type ContenderId, type Experiment } from "./experiment.ts";
import { measure } from "./measure.ts";
import { alternate } from "./order.ts";
import { advance, type Measurement, type WarmUp } from "./reading.ts";

/** How one contender behaves; times are what it says it took. */
interface Behaviour {
  readonly times?: readonly number[];
  readonly answer?: string;
  readonly absent?: string;
  readonly failsAtRun?: number;
}

function experiment(behaviours: Partial<Record<ContenderId, Behaviour>>): { experiment: Experiment; log: string[] } {
  const log: string[] = [];
  const open = async (contender: ContenderId): Promise<Bench> => {
    const { times = [1], answer = "42", absent, failsAtRun } = behaviours[contender] ?? {};
    if (absent !== undefined) throw new Absent(absent);
    let run = 0;
    return {
      run: async ({ onProgress }) => {
        log.push(contender);
        run += 1;
        if (run === failsAtRun) throw new Error("out of breath");
        onProgress(0.5);
        const ms = times[(run - 1) % times.length] ?? 0;
        return { computeMs: ms, wallMs: ms + 1 };
      },
      outcome: async () => ({ form: "text", text: answer }),
      close: async () => void log.push(`close ${contender}`),
    };
  };
  const rate = { units: 1, scale: 1, unit: "runs/s" };
  return { log, experiment: { kernel: "fibonacci", subject: "test", rate, open, agree: agreeExactly } };
}

async function run(
  behaviours: Partial<Record<ContenderId, Behaviour>>,
  rounds: number,
  warmUp: WarmUp = { runsMin: 1, msMin: 0, runsMax: 1 },
  stopAtRun = Number.POSITIVE_INFINITY,
): Promise<{ end: Measurement; log: string[] }> {
  const controller = new AbortController();
  const { experiment: subject, log } = experiment(behaviours);
  let end: Measurement = { state: "idle" };
  await measure({
    experiment: subject,
    contenders: Object.keys(behaviours) as ContenderId[],
    rounds,
    warmUp,
    signal: controller.signal,
    pause: async () => {
      if (log.length >= stopAtRun) controller.abort();
    },
    onStep: (step) => {
      end = advance(end, step);
    },
  });
  return { end, log };
}

test("every round runs everyone, each round from another one on", () => {
  expect(alternate(["a", "b", "c"], 4)).toEqual([
    ["a", "b", "c"],
    ["b", "c", "a"],
    ["c", "a", "b"],
    ["a", "b", "c"],
  ]);
  expect(alternate([], 2)).toEqual([[], []]);
});

test("short runs are warmed up for a time, but not for ever", async () => {
  const { log } = await run({ javascript: { times: [4] }, simd: { times: [0] } }, 1, { runsMin: 1, msMin: 12, runsMax: 9 });
  // 5 ms each, as the wall time is a millisecond more than the kernel's; and 1 ms each.
  expect(log.filter((line) => line === "javascript")).toHaveLength(3 + 1);
  expect(log.filter((line) => line === "simd")).toHaveLength(9 + 1);
});

test("warm-up runs are not counted", async () => {
  const { end } = await run({ javascript: { times: [99, 3, 4] } }, 2);
  if (end.state !== "done") throw new Error(end.state);
  const reading = end.report.readings.javascript;
  expect(reading).toMatchObject({ state: "measured", agreement: { verdict: "reference" } });
  expect(reading?.state === "measured" && reading.samples.map((sample) => sample.computeMs)).toEqual([3, 4]);
});

test("a contender that cannot take part says why, and the others go on", async () => {
  const { end } = await run({ javascript: {}, edge: { absent: "no server" } }, 1);
  if (end.state !== "done") throw new Error(end.state);
  expect(end.report.readings.edge).toEqual({ state: "absent", why: "no server" });
  expect(end.report.readings.javascript?.state).toBe("measured");
});

test("a contender that fails midway is out, and closed once", async () => {
  const { end, log } = await run({ javascript: {}, simd: { failsAtRun: 3 } }, 4);
  if (end.state !== "done") throw new Error(end.state);
  expect(end.report.readings.simd).toMatchObject({ state: "failed", note: { detail: "out of breath" } });
  expect(log.filter((line) => line === "simd")).toHaveLength(3);
  expect(log.filter((line) => line === "close simd")).toHaveLength(1);
  expect(log.filter((line) => line === "javascript")).toHaveLength(5);
});

test("a different answer is told with both answers", async () => {
  const { end } = await run({ javascript: { answer: "1" }, simd: { answer: "2" } }, 1);
  if (end.state !== "done") throw new Error(end.state);
  expect(end.report.readings.simd).toMatchObject({
    agreement: { verdict: "different", difference: "2, not 1" },
  });
});

test("stopping keeps what was measured and closes everyone", async () => {
  const { end, log } = await run({ javascript: {}, simd: {} }, 50, undefined, 6);
  if (end.state !== "aborted") throw new Error(end.state);
  expect(end.report.readings.javascript).toMatchObject({ state: "measuring" });
  expect(log.filter((line) => line.startsWith("close")).sort()).toEqual(["close javascript", "close simd"]);
});
