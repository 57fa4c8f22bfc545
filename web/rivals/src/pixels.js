/** @typedef {{ width: number, height: number }} Size pixels */

/**
 * @param {string} what names the size in an error
 * @param {Size} size
 * @param {number} [bytes] that RGBA pixels of this size should take
 */
export function checkSize(what, { width, height }, bytes = 4 * width * height) {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new RangeError(`${what}: width and height must be whole numbers above 0, not ${width} x ${height}`);
  }
  if (bytes !== 4 * width * height) {
    throw new RangeError(`${what}: ${width} x ${height} pixels are ${4 * width * height} bytes, not ${bytes}`);
  }
}

/**
 * Whether no pixel is transparent.
 * @param {Uint8Array | Uint8ClampedArray} pixels RGBA
 */
export function isOpaque(pixels) {
  let all = 255;
  for (let i = 3; i < pixels.length; i += 4) all &= pixels[i];
  return all === 255;
}
