/**
 * The answer headers that make a page cross-origin isolated, and with it allow shared memory.
 *
 * `examples/lab/spin.toml` says the same to Tombolo; the tests' server sends them from here.
 */
export const isolationHeaders = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
} as const;
