import { blurPacked } from "./blur-packed.js";
import { blurSeparable } from "./blur-separable.js";
import { isOpaque } from "./pixels.js";

/**
 * Blurs RGBA pixels in place with a Gaussian, edges repeated, colours weighted by alpha: the fastest
 * way for what is there.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {import("./pixels.js").Size} size
 * @param {number} sigma pixels; 0 changes nothing
 */
export function blur(pixels, size, sigma) {
  (isOpaque(pixels) ? blurPacked : blurSeparable)(pixels, size, sigma);
}
