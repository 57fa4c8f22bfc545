import type { JSX, ReactNode } from "react";
import { NoteBox, Sheet } from "../components/parts.tsx";
import { useLab } from "../lab.tsx";
import { bytesText } from "../results/format.ts";
import type { Gpu } from "./gpu.ts";
import type { Probe } from "./probe.ts";

/** What this page, browser and server allow, and why it is not more. */
export function EnvironmentSheet(): JSX.Element {
  const { probe } = useLab();
  return (
    <Sheet title="Environment" aside={<p className="soft">What is measured here holds for this browser, on this machine.</p>}>
      {probe.state === "asking" ? <p className="soft">Looking…</p> : <Known probe={probe} />}
    </Sheet>
  );
}

function Known({ probe }: { probe: Exclude<Probe, { state: "asking" }> }): JSX.Element {
  return (
    <>
      <dl className="facts">
        {probe.state === "known" && <KernelFacts kernels={probe.kernels} />}
        <Fact name="WebGPU" good={probe.gpu.state === "present"}>
          {gpuText(probe.gpu)}
        </Fact>
        <Fact name="Edge" good={probe.edge.state === "present"}>
          {probe.edge.state === "absent" ? probe.edge.why : "answers at /api"}
        </Fact>
      </dl>
      {probe.state === "failed" && <NoteBox kind="error" note={probe.note} />}
      {probe.state === "known" &&
        probe.kernels.notes.map((detail) => (
          <NoteBox key={detail} kind="hint" note={{ title: "Why not a better tier", detail }} />
        ))}
    </>
  );
}

function KernelFacts({ kernels }: { kernels: Extract<Probe, { state: "known" }>["kernels"] }): JSX.Element {
  const yes = (value: boolean): string => (value ? "yes" : "no");
  return (
    <>
      <Fact name="Tier" good>
        {kernels.tier}, {kernels.workers} {kernels.workers === 1 ? "worker" : "workers"}
      </Fact>
      <Fact name="Cores" good>
        {kernels.cores}
      </Fact>
      <Fact name="Cross-origin isolated" good={kernels.crossOriginIsolated}>
        {yes(kernels.crossOriginIsolated)}
      </Fact>
      <Fact name="Threads" good={kernels.threads}>
        {yes(kernels.threads)}
      </Fact>
      <Fact name="SIMD" good={kernels.simd}>
        {yes(kernels.simd)}
      </Fact>
      <Fact name="Relaxed SIMD" good={kernels.relaxedSimd}>
        {yes(kernels.relaxedSimd)}
      </Fact>
    </>
  );
}

function Fact({ name, good, children }: { name: string; good: boolean; children: ReactNode }): JSX.Element {
  return (
    <div className="fact" data-good={good}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function gpuText(gpu: Gpu): string {
  if (gpu.state === "absent") return gpu.why;
  const kind = gpu.isFallback ? "fallback adapter, on the processor" : "hardware";
  return `${gpu.name}; ${kind}; buffers to ${bytesText(gpu.storageBytesMax)}`;
}
