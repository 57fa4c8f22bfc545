import type { Outcome } from "./agreement.ts";
import { Absent, type Bench, type ContenderId, type Experiment, type Sample } from "./experiment.ts";
import { isAbort, noteOf } from "./note.ts";
import { alternate } from "./order.ts";
import type { Reading, Step, WarmUp } from "./reading.ts";

export interface Plan {
  readonly experiment: Experiment;
  readonly contenders: readonly ContenderId[];
  /** Counted runs of each contender. */
  readonly rounds: number;
  readonly warmUp: WarmUp;
  readonly signal: AbortSignal;
  /** Lets the page paint. Awaited before every run, so that painting is not measured. */
  readonly pause: () => Promise<void>;
  readonly onStep: (step: Step) => void;
}

/** A contender that is ready, with what it has shown so far. */
interface Runner {
  readonly contender: ContenderId;
  readonly bench: Bench;
  readonly samples: Sample[];
}

/**
 * Measures an experiment: opens every contender, warms each up and compares what it computed, then
 * runs them in alternation. One contender's failure is its own; the others go on. Never throws:
 * everything that happens is a step.
 */
export async function measure(plan: Plan): Promise<void> {
  const { experiment, contenders, rounds, warmUp, onStep } = plan;
  const waiting = Object.fromEntries(contenders.map((contender) => [contender, { state: "waiting" }]));
  const { kernel, subject, rate } = experiment;
  const taken = new Date().toISOString();
  onStep({ type: "begin", report: { kernel, subject, rate, rounds, warmUp, taken, readings: waiting } });
  const runners: Runner[] = [];
  try {
    await openAll(plan, runners);
    const agreements = await warmAll(plan, runners);
    await runRounds(plan, runners);
    for (const { contender, samples } of runners) {
      const agreement = agreements.get(contender);
      if (agreement?.state === "measured") tell(plan, contender, { ...agreement, samples });
    }
    onStep({ type: "end" });
  } catch (error) {
    onStep(plan.signal.aborted || isAbort(error) ? { type: "abort" } : { type: "fail", note: noteOf(error) });
  } finally {
    await Promise.allSettled(runners.map(({ bench }) => bench.close()));
  }
}

async function openAll(plan: Plan, runners: Runner[]): Promise<void> {
  for (const contender of plan.contenders) {
    plan.signal.throwIfAborted();
    tell(plan, contender, { state: "opening" });
    await plan.pause();
    try {
      const bench = await plan.experiment.open(contender, plan.signal);
      runners.push({ contender, bench, samples: [] });
      tell(plan, contender, { state: "waiting" });
    } catch (error) {
      if (plan.signal.aborted) throw error;
      const absent = error instanceof Absent;
      tell(plan, contender, absent ? { state: "absent", why: error.message } : failed(error));
    }
  }
}

/** Runs everyone without counting and compares their outcomes with the first one's. */
async function warmAll(plan: Plan, runners: Runner[]): Promise<Map<ContenderId, Reading>> {
  const verdicts = new Map<ContenderId, Reading>();
  let reference: Outcome | undefined;
  for (const runner of [...runners]) {
    plan.onStep({ type: "doing", doing: "Warming up", done: 0 });
    await warm(plan, runners, runner);
    if (!runners.includes(runner)) continue;
    const outcome = await runner.bench.outcome();
    const agreement =
      reference === undefined ? { verdict: "reference" as const } : plan.experiment.agree(reference, outcome);
    reference ??= outcome;
    verdicts.set(runner.contender, { state: "measured", samples: [], agreement });
  }
  return verdicts;
}

async function warm(plan: Plan, runners: Runner[], runner: Runner): Promise<void> {
  const { runsMin, msMin, runsMax } = plan.warmUp;
  let spentMs = 0;
  for (let run = 0; run < runsMax && (run < runsMin || spentMs < msMin); run += 1) {
    const sample = await attempt(plan, runners, runner);
    if (sample === undefined) return;
    spentMs += sample.wallMs;
  }
}

async function runRounds(plan: Plan, runners: Runner[]): Promise<void> {
  const order = alternate([...runners], plan.rounds);
  const runs = order.flat().length;
  let done = 0;
  for (const [round, turn] of order.entries()) {
    plan.onStep({ type: "doing", doing: `Round ${round + 1} of ${plan.rounds}`, done: done / runs });
    for (const runner of turn) {
      if (!runners.includes(runner)) continue;
      const sample = await attempt(plan, runners, runner);
      done += 1;
      if (sample === undefined) continue;
      runner.samples.push(sample);
      tell(plan, runner.contender, { state: "measuring", samples: [...runner.samples], progress: 1 });
    }
  }
}

/** One run. If it fails, the contender is out: told, closed and taken from `runners`. */
async function attempt(plan: Plan, runners: Runner[], runner: Runner): Promise<Sample | undefined> {
  const { contender, bench, samples } = runner;
  plan.signal.throwIfAborted();
  tell(plan, contender, { state: "measuring", samples: [...samples], progress: 0 });
  await plan.pause();
  const onProgress = (progress: number): void => plan.onStep({ type: "progress", contender, progress });
  try {
    return await bench.run({ signal: plan.signal, onProgress });
  } catch (error) {
    if (plan.signal.aborted) throw error;
    tell(plan, contender, failed(error));
    runners.splice(runners.indexOf(runner), 1);
    await bench.close();
    return undefined;
  }
}

function tell(plan: Plan, contender: ContenderId, reading: Reading): void {
  plan.onStep({ type: "reading", contender, reading });
}

function failed(error: unknown): Reading {
  return { state: "failed", note: noteOf(error) };
}

/** After the next frame, or after a twentieth of a second where frames do not come: a hidden tab is measured as well. */
export function nextPaint(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 50);
    requestAnimationFrame(() => {
      setTimeout(() => {
        clearTimeout(timer);
        resolve();
      }, 0);
    });
  });
}
