/** What went wrong, as a word to branch on. */
export type KernelErrorCode =
  | "bad-size"
  | "bad-number"
  | "out-of-memory"
  | "aborted"
  | "invalid-json"
  | "not-rows"
  | "bad-key"
  | "unsupported"
  | "busy"
  | "freed"
  | "closed"
  | "load"
  | "crashed";

/** What a {@link KernelError} carries beside its message. */
export interface KernelErrorDetail {
  readonly cause?: unknown;
  readonly offset?: number | undefined;
}

/** The only error that this package throws or rejects with. */
export class KernelError extends Error {
  /** What went wrong, as a word to branch on. */
  readonly code: KernelErrorCode;
  /** For `invalid-json` and `not-rows`: the offset in bytes at which the text stops to make sense. */
  readonly offset?: number;

  constructor(code: KernelErrorCode, message: string, detail: KernelErrorDetail = {}) {
    super(message, "cause" in detail ? { cause: detail.cause } : undefined);
    this.name = "KernelError";
    this.code = code;
    if (detail.offset !== undefined) this.offset = detail.offset;
  }
}

/** Work that a signal ended: its reason is the cause. */
export function aborted(signal: AbortSignal | undefined): KernelError {
  return new KernelError("aborted", "the work was aborted", { cause: signal?.reason });
}

/** Any thrown value as text, for the end of a message. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Calls a listener of the user's. What it throws is reported as uncaught: the work must settle all the same. */
export function tell<Told>(listener: ((told: Told) => void) | undefined, told: Told): void {
  try {
    listener?.(told);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
