import { useEffect, useRef, type JSX, type RefObject } from "react";
import type { Measurement } from "./bench/reading.ts";
import { Brand } from "./components/Brand.tsx";
import { Boundary } from "./components/Boundary.tsx";
import { Segmented } from "./components/parts.tsx";
import { kernelNames } from "./contenders/labels.ts";
import type { Probe } from "./environment/probe.ts";
import { useLab } from "./lab.tsx";
import { linkTo, places, usePlace, type Place } from "./route.ts";
import { ratioText } from "./results/format.ts";
import { rowOf } from "./results/rows.ts";
import { themes, useTheme } from "./theme.ts";
import { BlurView } from "./views/BlurView.tsx";
import { CrcView } from "./views/CrcView.tsx";
import { FibonacciView } from "./views/FibonacciView.tsx";
import { MatmulView } from "./views/MatmulView.tsx";
import { OverviewView } from "./views/OverviewView.tsx";
import { ResizeView } from "./views/ResizeView.tsx";
import { SortView } from "./views/SortView.tsx";

const views: Readonly<Record<Place, () => JSX.Element>> = {
  overview: OverviewView,
  blur: BlurView,
  sort: SortView,
  crc: CrcView,
  matmul: MatmulView,
  resize: ResizeView,
  fibonacci: FibonacciView,
};

/** The shell: where one can go, what the page can do, and the view. */
export function App(): JSX.Element {
  const place = usePlace();
  const main = useFocusOnArrival(place);
  const View = views[place];
  return (
    <div className="shell">
      <a
        className="skip"
        href="#view"
        onClick={(event) => {
          event.preventDefault();
          main.current?.querySelector("h1")?.focus();
        }}
      >
        Skip to the view
      </a>
      <div className="side">
        <div className="rail">
          <Brand />
          <nav className="places" aria-label="Views">
            <ul>
              {places.map((to) => (
                <PlaceLink key={to} to={to} current={to === place} />
              ))}
            </ul>
          </nav>
          <RailFoot />
        </div>
      </div>
      <main className="page" ref={main}>
        <Boundary key={place}>
          <View />
        </Boundary>
      </main>
    </div>
  );
}

function PlaceLink({ to, current }: { to: Place; current: boolean }): JSX.Element {
  const { measurements, busy } = useLab();
  const link = useRef<HTMLAnchorElement>(null);
  // On a narrow page the list scrolls sideways. Not by `scrollIntoView`: Chromium goes on from there at the next Tab.
  useEffect(() => {
    const list = link.current?.closest("nav");
    if (!current || !link.current || !list) return;
    const { left, width } = link.current.getBoundingClientRect();
    const within = list.getBoundingClientRect();
    list.scrollLeft += left + width / 2 - (within.left + within.width / 2);
  }, [current]);
  const told = to === "overview" ? "" : to === busy ? "running" : bestRatio(measurements[to]);
  return (
    <li>
      <a ref={link} href={linkTo(to)} {...(current ? { "aria-current": "page" as const } : {})}>
        {to === "overview" ? "Overview" : kernelNames[to]}
        <span className="figures">{told}</span>
      </a>
    </li>
  );
}

/** The best that WebAssembly reached in this browser. */
function bestRatio(measurement: Measurement): string {
  if (!("report" in measurement)) return "";
  const { report } = measurement;
  const ratios = (["baseline", "simd", "threads"] as const).map((tier) => rowOf(report, tier).ratio ?? 0);
  const best = Math.max(...ratios);
  return best > 0 ? ratioText(best) : "";
}

function RailFoot(): JSX.Element {
  const { probe } = useLab();
  const [theme, setTheme] = useTheme();
  const { head, detail } = statusOf(probe);
  return (
    <div className="rail-foot">
      <div className="status" role="status">
        <strong>{head}</strong>
        <span>{detail}</span>
      </div>
      <Segmented
        label="Theme"
        labelHidden
        value={theme}
        choices={themes.map((value) => ({ value, label: value[0]?.toUpperCase() + value.slice(1) }))}
        onChange={setTheme}
      />
    </div>
  );
}

function statusOf(probe: Probe): { head: string; detail: string } {
  switch (probe.state) {
    case "asking":
      return { head: "Looking around…", detail: "" };
    case "failed":
      return { head: "No kernels", detail: probe.note.detail };
    case "known": {
      const { tier, workers, crossOriginIsolated } = probe.kernels;
      const isolation = crossOriginIsolated ? "isolated" : "not isolated";
      const edge = probe.edge.state === "present" ? "edge answers" : "no edge";
      return { head: `Tier: ${tier}`, detail: `${workers} workers, ${isolation}, ${edge}` };
    }
  }
}

/** Names the page after its view and, on going to another one, takes the focus to its heading. */
function useFocusOnArrival(place: Place): RefObject<HTMLElement | null> {
  const main = useRef<HTMLElement>(null);
  const before = useRef(place);
  useEffect(() => {
    document.title = place === "overview" ? "Tombolo Lab" : `${kernelNames[place]} – Tombolo Lab`;
    if (before.current === place) return;
    before.current = place;
    window.scrollTo(0, 0);
    main.current?.querySelector("h1")?.focus();
  }, [place]);
  return main;
}
