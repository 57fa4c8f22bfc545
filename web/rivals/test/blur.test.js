import assert from "node:assert/strict";
import { test } from "node:test";
import { blur } from "../src/blur.js";
import { blurPacked } from "../src/blur-packed.js";
import { blurSeparable } from "../src/blur-separable.js";
import { noise } from "./noise.js";

/** A true Gaussian in f64 over five sigma, both directions at once, colours weighted by alpha. */
function reference(pixels, { width, height }, sigma) {
  const radius = Math.ceil(5 * sigma);
  const clamp = (value, size) => Math.max(0, Math.min(size - 1, value));
  const out = new Float64Array(pixels.length);
  const weight = (d) => Math.exp(-(d * d) / (2 * sigma * sigma));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sum = [0, 0, 0, 0];
      let total = 0;
      for (let dy = -radius; dy <= radius; dy++) {
        for (let dx = -radius; dx <= radius; dx++) {
          const at = 4 * (clamp(y + dy, height) * width + clamp(x + dx, width));
          const w = weight(dx) * weight(dy);
          const alpha = w * pixels[at + 3];
          total += w;
          for (let c = 0; c < 3; c++) sum[c] += alpha * pixels[at + c];
          sum[3] += alpha;
        }
      }
      for (let c = 0; c < 3; c++) out[4 * (y * width + x) + c] = sum[3] > 0 ? sum[c] / sum[3] : 0;
      out[4 * (y * width + x) + 3] = sum[3] / total;
    }
  }
  return out;
}

/** Noise with hard edges, as the worst case: opaque, or of all transparencies. */
function picture({ width, height }, opaque) {
  const pixels = noise(4 * width * height, width + height);
  for (let i = 0; i < pixels.length; i++) {
    const at = i >> 2;
    if (i % 4 === 3) pixels[i] = opaque ? 255 : pixels[i];
    else if (at % width > width / 2) pixels[i] = i % 3 ? 255 : 0;
  }
  return pixels;
}

function check(blurring, size, sigma, opaque) {
  const pixels = picture(size, opaque);
  const expected = reference(pixels, size, sigma);
  blurring(pixels, size, sigma);
  pixels.forEach((value, i) => {
    // Where almost nothing is left of alpha, a colour has no meaning to compare.
    if (i % 4 !== 3 && expected[i | 3] < 1) return;
    assert.ok(Math.abs(value - expected[i]) <= 1, `${size.width} x ${size.height}, byte ${i}: ${value}, ${expected[i]}`);
  });
}

const sizes = [[1, 1], [1, 7], [8, 1], [2, 2], [5, 3], [33, 21], [40, 30]].map(([width, height]) => ({ width, height }));

for (const sigma of [0.5, 1, 3, 4.2]) {
  test(`sigma ${sigma} is within 1/255 of the f64 reference`, () => {
    for (const size of sizes) {
      check(blur, size, sigma, true);
      check(blur, size, sigma, false);
      check(blurPacked, size, sigma, true);
      check(blurSeparable, size, sigma, true);
    }
  });
}

test("pixels for a canvas are rounded once", () => {
  const bytes = picture(sizes[6], false);
  const clamped = new Uint8ClampedArray(bytes);
  blur(bytes, sizes[6], 2);
  blur(clamped, sizes[6], 2);
  assert.deepEqual(Array.from(clamped), Array.from(bytes));
});

test("a wide blur of one colour leaves it as it is", () => {
  const size = { width: 20, height: 10 };
  const pixels = new Uint8Array(800).fill(255);
  blur(pixels, size, 40);
  assert.ok(pixels.every((value) => value === 255));
});

test("bad input is named", () => {
  assert.throws(() => blur(new Uint8Array(4), { width: 2, height: 1 }, 1), /2 x 1 pixels are 8 bytes, not 4/);
  assert.throws(() => blur(new Uint8Array(4), { width: 1, height: 1 }, -1), /sigma must be/);
  assert.throws(() => blur(new Uint8Array(4), { width: 1, height: 1 }, NaN), /sigma must be/);
});
