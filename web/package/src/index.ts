export { loadKernels } from "./load.js";
export { sortRows } from "./sort-rows.js";
export { KernelError, type KernelErrorCode } from "./errors.js";
export type * from "./types.js";
