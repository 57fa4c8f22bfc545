// What a worker does with a job, in Node: this process is the worker.

import { expect, it } from "vitest";
import { instantiate, KernelError } from "../dist/direct.js";
import { run } from "../dist/jobs.js";
import { Operands } from "../dist/operands.js";

it("lets go of a sorted array whose tables have no room", async () => {
  const kernels = await instantiate({ tier: "simd" });
  const { exports } = kernels;
  const sort = (fails: boolean) => {
    const moved = new TextEncoder().encode('[{"a":2},{"a":1}]').buffer;
    const io = new Operands(kernels, [{ moved }], false, () => {});
    if (fails) {
      io.table = () => {
        throw new KernelError("out-of-memory", "no room for a copy");
      };
    }
    return run({ op: "sort", key: "a", descending: false }, io, () => false).sorted!.handle;
  };
  const first = sort(false);
  exports.tk_sorted_free(first);
  expect(() => sort(true)).toThrow("no room");
  expect(exports.tk_sorted_rows(first)).toBe(0);
  expect(sort(false)).toBe(first); // The place is free again.
});
