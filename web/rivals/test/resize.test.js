import assert from "node:assert/strict";
import { test } from "node:test";
import { preprocess } from "../src/preprocess.js";
import { resize } from "../src/resize.js";
import { noise } from "./noise.js";

/** Every target pixel from all source pixels at once, in f64, colours weighted by alpha. */
function reference(pixels, from, to) {
  const out = new Float64Array(to.width * to.height * 4);
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      const sum = [0, 0, 0, 0];
      const rows = weights(y, from.height, to.height);
      const columns = weights(x, from.width, to.width);
      for (const [sy, wy] of rows) {
        for (const [sx, wx] of columns) {
          const at = 4 * (sy * from.width + sx);
          const alpha = wx * wy * pixels[at + 3];
          for (let c = 0; c < 3; c++) sum[c] += alpha * pixels[at + c];
          sum[3] += alpha;
        }
      }
      const at = 4 * (y * to.width + x);
      for (let c = 0; c < 3; c++) out[at + c] = sum[3] > 0 ? sum[c] / sum[3] : 0;
      out[at + 3] = sum[3];
    }
  }
  return out.map((value) => Math.max(0, Math.min(255, value)));
}

function weights(target, from, to) {
  const stretch = Math.max(1, from / to);
  const centre = ((target + 0.5) * from) / to;
  const all = Array.from({ length: from }, (_, source) => [source, keys(Math.abs(source + 0.5 - centre) / stretch)]);
  const total = all.reduce((sum, [, weight]) => sum + weight, 0);
  return all.map(([source, weight]) => [source, weight / total]);
}

/** Keys' cubic (1981) with a = -1/2. */
function keys(d) {
  if (d >= 2) return 0;
  return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2;
}

function picture({ width, height }, opaque) {
  const pixels = noise(width * height * 4, width);
  for (let i = 3; i < pixels.length; i += 4) pixels[i] = opaque ? 255 : 128 + (pixels[i] >> 1);
  return pixels;
}

const cases = [[1, 1, 1, 1], [1, 1, 5, 4], [40, 30, 7, 9], [9, 7, 20, 31], [100, 3, 8, 8], [31, 64, 31, 5], [64, 36, 11, 11]];

for (const [width, height, toWidth, toHeight] of cases) {
  const [from, to] = [{ width, height }, { width: toWidth, height: toHeight }];
  test(`${width} x ${height} to ${toWidth} x ${toHeight} is within 1/255 of the f64 reference`, () => {
    for (const opaque of [true, false]) {
      const pixels = picture(from, opaque);
      const expected = reference(pixels, from, to);
      const resized = resize(pixels, from, to);
      resized.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= 1, `${i}: ${value}, ${expected[i]}`));
      const planes = preprocess(pixels, from, to, [0.5, 0.25, 0], [0.5, 1, 2]);
      planes.forEach((value, i) => {
        const plane = Math.floor(i / (toWidth * toHeight));
        const byte = resized[4 * (i % (toWidth * toHeight)) + plane];
        assert.ok(Math.abs(value - (byte / 255 - [0.5, 0.25, 0][plane]) / [0.5, 1, 2][plane]) < 1e-6, `${i}: ${value}`);
      });
    }
  });
}

test("bad sizes are named", () => {
  const one = { width: 1, height: 1 };
  assert.throws(() => resize(new Uint8Array(8), one, one), /from: 1 x 1 pixels are 4 bytes, not 8/);
  assert.throws(() => resize(new Uint8Array(4), one, { width: 0, height: 1 }), /to: width and height/);
});
