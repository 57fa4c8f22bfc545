import assert from "node:assert/strict";
import { test } from "node:test";
import { picture, rows } from "../src/inputs.js";

/** By another program from the description in `native-figures.rs`. */
const FIRST_ROW = '[{"id":0,"name":"user-568748","score":586005.467,"active":true,"group":"g0"}';

test("rows are what JSON.stringify would write, so that sorted bytes can be compared", () => {
  const text = new TextDecoder().decode(rows(2000));
  const parsed = JSON.parse(text);
  assert.equal(parsed.length, 2000);
  assert.equal(JSON.stringify(parsed), text);
  assert.equal(text.slice(0, text.indexOf("}") + 1), FIRST_ROW);
});

test("a picture is opaque", () => {
  const pixels = picture({ width: 9, height: 5 });
  assert.equal(pixels.length, 9 * 5 * 4);
  assert.ok(pixels.every((value, i) => i % 4 !== 3 || value === 255));
});
