const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** Three significant digits, with thousands grouped: `0.0123`, `4.57`, `1,250`. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (Math.abs(value) >= 999.5) return grouped.format(value);
  return String(Number(value.toPrecision(3))).includes("e") ? value.toExponential(2) : value.toPrecision(3);
}

/** A duration in the unit that gives it one to three digits before the point. */
export function duration(ms: number): { readonly value: string; readonly unit: string } {
  if (!Number.isFinite(ms)) return { value: "–", unit: "" };
  if (ms >= 10_000) return { value: significant(ms / 1000), unit: "s" };
  if (ms >= 0.1 || ms === 0) return { value: significant(ms), unit: "ms" };
  if (ms >= 1e-4) return { value: significant(ms * 1e3), unit: "µs" };
  return { value: significant(ms * 1e6), unit: "ns" };
}

export function durationText(ms: number): string {
  const { value, unit } = duration(ms);
  return unit === "" ? value : `${value} ${unit}`;
}

/** `×18.2`, or a dash where there is nothing to compare. */
export function ratioText(ratio: number | undefined): string {
  if (ratio === undefined) return "–";
  return `×${ratio >= 99.5 ? grouped.format(ratio) : ratio.toPrecision(ratio >= 9.995 ? 3 : 2)}`;
}

/** A share as a percentage: `0.8 %`, `12 %`. */
export function shareText(share: number): string {
  const percent = share * 100;
  return `${percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

export function count(value: number): string {
  return grouped.format(value);
}

/** Bytes in binary units: `80.3 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const step = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 ? grouped.format(value) : significant(value)} ${units[step]}`;
}
