import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, crc32SlicingBy8 } from "../src/crc32.js";
import { noise } from "./noise.js";

/** The definition, a bit at a time. */
function bitwise(state, bytes) {
  let register = ~state;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0xedb88320 : register >>> 1;
  }
  return ~register >>> 0;
}

test("the check value of the catalogue", () => {
  const digits = new TextEncoder().encode("123456789");
  assert.equal(crc32(0, digits), 0xcbf43926);
  assert.equal(crc32SlicingBy8(0, digits), 0xcbf43926);
  assert.equal(crc32(0, new Uint8Array(0)), 0);
});

test("every length and alignment agrees with the definition", () => {
  const bytes = noise(200);
  for (let from = 0; from < 9; from++) {
    for (let to = from; to < bytes.length; to += 7) {
      const part = bytes.subarray(from, to);
      assert.equal(crc32SlicingBy8(7, part), bitwise(7, part), `${from}..${to}`);
      assert.equal(crc32(7, part), bitwise(7, part), `${from}..${to}`);
    }
  }
});

test("long input, whole and in pieces, agrees with the definition", () => {
  const bytes = noise(150_011);
  for (const from of [0, 1, 2, 3]) {
    const part = bytes.subarray(from);
    const expected = bitwise(0, part);
    assert.equal(crc32(0, part), expected);
    assert.equal(crc32SlicingBy8(0, part), expected);
    const middle = 61_003;
    assert.equal(crc32(crc32(0, part.subarray(0, middle)), part.subarray(middle)), expected);
  }
});
