/** What WebGPU offers here. The lab's kernels do not use it; whoever compares machines wants to know. */
export type Gpu =
  | { readonly state: "absent"; readonly why: string }
  | {
      readonly state: "present";
      /** Vendor and architecture, as far as the browser says. */
      readonly name: string;
      /** Software on the processor, slower than the kernels there. */
      readonly isFallback: boolean;
      readonly storageBytesMax: number;
      readonly features: readonly string[];
    };

/** The part of WebGPU that is asked here: it is not in every browser, nor in every library of types. */
interface GpuAdapter {
  readonly info: {
    readonly vendor?: string;
    readonly architecture?: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly features: Iterable<string>;
  readonly limits: { readonly maxStorageBufferBindingSize: number };
}

/** Never throws: what goes wrong is why there is none. */
export async function findGpu(): Promise<Gpu> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<GpuAdapter | null> } }).gpu;
  if (gpu === undefined) {
    return { state: "absent", why: isSecureContext ? "no WebGPU in this browser" : "WebGPU needs https" };
  }
  try {
    const adapter = await gpu.requestAdapter();
    if (adapter === null) return { state: "absent", why: "WebGPU found no adapter" };
    const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
    return {
      state: "present",
      name: [vendor, architecture || description].filter(Boolean).join(" ") || "unnamed adapter",
      isFallback: isFallbackAdapter === true,
      storageBytesMax: adapter.limits.maxStorageBufferBindingSize,
      features: [...adapter.features].sort(),
    };
  } catch (error) {
    return { state: "absent", why: error instanceof Error ? error.message : String(error) };
  }
}
