import { instantiate, moduleUrl } from "../../package/dist/direct.js";

/**
 * From asking for the module to the first result of a kernel, in ms. Each time another address, so
 * that no cache of bytes or of compiled code is there before.
 * @param {string} tier
 */
export async function startUp(tier) {
  const name = /** @type {"baseline" | "simd" | "threads"} */ (tier);
  const url = moduleUrl(name);
  url.searchParams.set("again", String(Math.random()));
  const start = performance.now();
  const kernels = await instantiate({ tier: name, relaxed: false, url });
  const at = kernels.copyIn(new TextEncoder().encode("123456789"));
  if (kernels.exports.tk_crc32(0, at, 9) >>> 0 !== 0xcbf43926) throw new Error("the first CRC is wrong");
  return performance.now() - start;
}
