// A lane over a worker that is played: what browsers do only now and then.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { KernelError } from "../src/errors.js";
import { Lane } from "../src/lane.js";

const module = Promise.resolve({} as WebAssembly.Module);
const job = { job: { op: "fibonacci", n: 1 }, operands: [], transfer: [], abortable: false } as const;
const events = { onOperand: () => {} };

let post: ReturnType<typeof vi.fn>;
let hear: (message: unknown) => void;
beforeEach(() => {
  post = vi.fn();
  vi.stubGlobal(
    "Worker",
    class {
      onmessage?: (event: { data: unknown }) => void;
      postMessage = post;
      terminate = vi.fn();
      constructor() {
        hear = (data) => this.onmessage?.({ data });
      }
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function refuse(): never {
  throw new DOMException("could not be cloned", "DataCloneError");
}

it("dies at once, and says so, if its worker cannot be sent the module", async () => {
  post.mockImplementation(refuse);
  const deaths: KernelError[] = [];
  const lane = new Lane({ tier: "simd", module, role: "caller" }, (error) => deaths.push(error));
  await expect(lane.ready).rejects.toMatchObject({ code: "crashed", message: expect.stringContaining("could not be cloned") });
  expect(deaths).toHaveLength(1);
  expect(lane.dead).toBe(true);
});

it("stays idle if work cannot be sent, and runs the next", async () => {
  const lane = new Lane({ tier: "simd", module, role: "caller" }, () => {});
  hear({ kind: "ready" });
  await lane.ready;
  post.mockImplementationOnce(refuse);
  await expect(lane.run(job, events)).rejects.toMatchObject({ code: "freed" });
  expect(lane.idle).toBe(true);
  const next = lane.run(job, events);
  hear({ kind: "done", id: 2, result: { value: 1n }, timing: { computeMs: 0, copyMs: 0 } });
  await expect(next).resolves.toMatchObject({ result: { value: 1n } });
});

it("ignores what comes after its end", async () => {
  const lane = new Lane({ tier: "simd", module, role: "caller" }, () => {});
  hear({ kind: "ready" });
  const work = lane.run(job, events);
  lane.die("it has trapped");
  lane.die("again");
  hear({ kind: "done", id: 1, result: {}, timing: { computeMs: 0, copyMs: 0 } });
  await expect(work).rejects.toMatchObject({ code: "crashed", message: expect.stringContaining("it has trapped") });
  await expect(lane.run(job, events)).rejects.toMatchObject({ code: "crashed" });
});
