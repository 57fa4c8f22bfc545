import { Absent } from "./experiment.ts";

/** An error as the page tells it: what happened, and what can be done about it. */
export interface Note {
  readonly title: string;
  readonly detail: string;
  /** Where in the input, in bytes, if the input is to blame. */
  readonly offset?: number;
}

const titles: Readonly<Record<string, string>> = {
  "bad-size": "The size does not fit the data",
  "bad-number": "That number cannot be used",
  "out-of-memory": "Not enough memory",
  aborted: "Stopped",
  "invalid-json": "This is not valid JSON",
  "not-rows": "This is not an array of objects",
  "bad-key": "That key cannot be used",
  unsupported: "Not possible in this browser",
  busy: "The buffer is still in use",
  freed: "The buffer was given back already",
  closed: "The kernels were closed",
  load: "The kernels could not be loaded",
  crashed: "A worker stopped",
};

/** The note for anything thrown: a kernel's error by its code, and all others by their message. */
export function noteOf(error: unknown): Note {
  if (!(error instanceof Error)) return { title: "Something unexpected was thrown", detail: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const title = titles[code] ?? (error instanceof Absent ? "Not available here" : "That did not work");
  const offset = "offset" in error && typeof error.offset === "number" ? error.offset : undefined;
  return { title, detail: error.message, ...(offset === undefined ? {} : { offset }) };
}

/** Whether an error only says that the user asked to stop. */
export function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || ("code" in error && error.code === "aborted");
}
