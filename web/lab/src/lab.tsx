import { createContext, use, useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import type { JSX, ReactNode } from "react";
import { kernelIds, type Experiment, type KernelId } from "./bench/experiment.ts";
import { measure, nextPaint } from "./bench/measure.ts";
import { isAbort, noteOf } from "./bench/note.ts";
import { advance, type Measurement, type Step, type WarmUp } from "./bench/reading.ts";
import { initialSettings, type Settings } from "./bench/settings.ts";
import { probe, type Probe } from "./environment/probe.ts";

export type Measurements = Readonly<Record<KernelId, Measurement>>;

/** What all views share: the measurements, how they are taken, and where. */
export interface Lab {
  readonly measurements: Measurements;
  readonly settings: Settings;
  readonly setSettings: (settings: Settings) => void;
  readonly probe: Probe;
  /** The kernel that is being measured. One at a time: two would measure each other. */
  readonly busy: KernelId | undefined;
  /** Measures, one after the other. Ends early, without throwing, if {@link Lab.stop} is called. */
  readonly run: (jobs: readonly Job[]) => Promise<void>;
  readonly stop: () => void;
}

/** A kernel to measure and how to get at its input. */
export interface Job {
  readonly kernel: KernelId;
  readonly experiment: (signal: AbortSignal) => Experiment | Promise<Experiment>;
}

const LabContext = createContext<Lab | undefined>(undefined);
const warmUp: WarmUp = { runsMin: 2, msMin: 300, runsMax: 20 };

export function useLab(): Lab {
  const lab = use(LabContext);
  if (lab === undefined) throw new Error("useLab is only for what is inside LabProvider");
  return lab;
}

const untouched = Object.fromEntries(kernelIds.map((kernel) => [kernel, { state: "idle" }])) as Measurements;

function reduce(measurements: Measurements, { kernel, step }: { kernel: KernelId; step: Step }): Measurements {
  return { ...measurements, [kernel]: advance(measurements[kernel], step) };
}

export function LabProvider({ children }: { children: ReactNode }): JSX.Element {
  const [measurements, dispatch] = useReducer(reduce, untouched);
  const [settings, setSettings] = useState(initialSettings);
  const [busy, setBusy] = useState<KernelId>();
  const known = useProbe();
  const running = useRef<AbortController>(undefined);

  const run = useCallback(
    async (jobs: readonly Job[]) => {
      if (running.current !== undefined) return;
      const controller = new AbortController();
      running.current = controller;
      for (const { kernel, experiment } of jobs) {
        if (controller.signal.aborted) break;
        setBusy(kernel);
        const onStep = (step: Step): void => dispatch({ kernel, step });
        await measureOne(experiment, settings, controller.signal, onStep);
      }
      running.current = undefined;
      setBusy(undefined);
    },
    [settings],
  );
  const stop = useCallback(() => {
    running.current?.abort(new DOMException("Stopped by the user.", "AbortError"));
  }, []);

  const lab = useMemo(
    () => ({ measurements, settings, setSettings, probe: known, busy, run, stop }),
    [measurements, settings, known, busy, run, stop],
  );
  return <LabContext value={lab}>{children}</LabContext>;
}

async function measureOne(
  experiment: Job["experiment"],
  { contenders, rounds }: Settings,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<void> {
  try {
    const made = await experiment(signal);
    await measure({ experiment: made, contenders, rounds, warmUp, signal, pause: nextPaint, onStep });
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) onStep({ type: "fail", note: noteOf(error) });
  }
}

function useProbe(): Probe {
  const [known, setKnown] = useState<Probe>({ state: "asking" });
  useEffect(() => {
    const controller = new AbortController();
    void probe(controller.signal).then((found) => {
      if (!controller.signal.aborted) setKnown(found);
    });
    return () => controller.abort();
  }, []);
  return known;
}
