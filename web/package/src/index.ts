export type * from "./types.js";
export { KernelError, type KernelErrorCode } from "./errors.js";
