import assert from "node:assert/strict";
import { test } from "node:test";
import { sortJson, sortJsonByComparison, sortJsonToBytes, sortJsonToBytesByComparison } from "../src/sort-json.js";
import { sortJsonByScan, sortJsonToBytesByScan } from "../src/sort-scan.js";
import { sortNumbers, sortRows, sortRowsByComparison } from "../src/sort-rows.js";
import { noise } from "./noise.js";

const encode = (rows) => new TextEncoder().encode(JSON.stringify(rows));

/** Insertion sort by the documented order: slow, stable, and of no shared code. */
function reference(rows, read, descending) {
  const rank = (value) => {
    const kinds = [(v) => v == null, (v) => typeof v === "number", (v) => typeof v === "string", (v) => v === false, (v) => v === true];
    const kind = kinds.findIndex((is) => is(value));
    return kind < 0 ? kinds.length : kind;
  };
  const points = (text) => Array.from(text, (c) => c.codePointAt(0));
  const before = (a, b) => {
    if (rank(a) !== rank(b)) return rank(a) < rank(b);
    if (typeof a === "number") return a < b;
    if (typeof a !== "string") return false;
    const [left, right] = [points(a), points(b)];
    for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return i >= right.length ? false : left[i] < right[i];
    return left.length < right.length;
  };
  const order = [];
  rows.forEach((row, i) => {
    let at = order.length;
    const precedes = (a, b) => (descending ? before(b, a) : before(a, b));
    while (at > 0 && precedes(read(row), read(rows[order[at - 1]]))) at--;
    order.splice(at, 0, i);
  });
  return order;
}

const odd = [5, -0, 0, "b", "a", null, undefined, true, false, [1], {}, 1e300, -1e-300, "a", 5, "\u{1F600}", "\uFF5E", "ab", ""];
const numbers = Array.from(new Float64Array(noise(8 * 3000).buffer)).filter((value) => !Number.isNaN(value));

const tables = {
  "odd keys": odd.map((k, id) => ({ id, k })),
  "numbers of all sizes": numbers.map((k, id) => ({ id, k: Number.isFinite(k) ? k : id })),
  "small whole numbers, often alike": Array.from(noise(2000), (k, id) => ({ id, k: k % 7 })),
  texts: Array.from(noise(500), (k, id) => ({ id, k: `${k % 9}${"x".repeat(k % 3)}` })),
  none: [],
  one: [{ k: 1 }],
};

for (const [name, rows] of Object.entries(tables)) {
  for (const descending of [false, true]) {
    test(`${name}, ${descending ? "descending" : "ascending"}, agree with insertion sort`, () => {
      const order = { key: "k", descending };
      const expected = reference(rows, (row) => row.k, descending);
      const sorted = expected.map((i) => rows[i]);
      assert.deepEqual(Array.from(sortRows(rows, order)), expected);
      assert.deepEqual(sortRowsByComparison(rows, order), sorted);
      const bytes = encode(rows);
      assert.deepEqual(Array.from(sortJson(bytes, order).permutation), expected);
      const plain = JSON.parse(JSON.stringify(sorted));
      assert.deepEqual(sortJsonByComparison(bytes, order), plain);
      assert.deepEqual(Array.from(sortJsonByScan(bytes, order).permutation), expected);
      assert.deepEqual(sortJsonToBytesByScan(bytes, order), encode(plain));
      assert.deepEqual(sortJsonToBytes(bytes, order), encode(plain));
      assert.deepEqual(sortJsonToBytesByComparison(bytes, order), encode(plain));
    });
  }
}

test("a path reaches into members", () => {
  const rows = [{ a: { b: 2 } }, { a: { b: 1 } }, { a: 3 }, {}];
  assert.deepEqual(Array.from(sortRows(rows, { key: "a.b" })), [2, 3, 1, 0]);
  assert.deepEqual(sortRowsByComparison(rows, { key: "a.b" })[3], rows[0]);
});

test("infinities have their places", () => {
  assert.deepEqual(Array.from(sortNumbers(Float64Array.of(1, Infinity, -Infinity, -1), false)), [2, 3, 0, 1]);
});

test("what is no array of objects is named", () => {
  assert.throws(() => sortJson(encode({}), { key: "k" }), /not an array/);
  assert.throws(() => sortJson(encode([{}, 1]), { key: "k" }), /element 1 is not an object/);
  assert.throws(() => sortJson(new TextEncoder().encode("[{]"), { key: "k" }), SyntaxError);
});

const texts = [
  "[]", " [ ] ", "[{}]", '[{"k":1},{"k":2}]', '[ {"k" : -1.5e3 } ,\n{"k":0.1},{}]', '[{"\\u006b":3},{"k":1,"k":2}]',
  '[{"k":"\\ud83d\\ude00\\n"},{"k":"\\ud800"}]', '[{"a":{"k":1},"k":[1,{"k":2},"]"]},{"k":{"k":null}}]',
  '[{"k":123456789012345678},{"k":1e400},{"k":-0},{"k":0}]', '[{"k":true},{"k":false},{"k":null}]',
  "", "[", "[{", '[{"k"', '[{"k":', '[{"k":1', '[{"k":1}', '[{"k":1},]', '[{"k":1}]x', '[{"k":01}]', '[{"k":1.}]', '[{"k":-}]', '[{"k":1e}]',
  '[{"k":tru}]', '[{"k":"\\x"}]', '[{"k":"\\u12g4"}]', '[{"k":"\n"}]', '[{"k":1,}]', "[{k:1}]", '[{"k":"a}]', '[{"k":[1,]}]', "\ufeff[]",
];

test("the scan takes and refuses what JSON.parse does", () => {
  for (const text of texts) {
    const bytes = new TextEncoder().encode(text);
    const attempt = (sort) => {
      try {
        return Array.from(sort(bytes, { key: "k" }).permutation);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, `${text}: ${error}`);
        return "refused";
      }
    };
    // A byte order mark is dropped by TextDecoder before JSON.parse sees it.
    const expected = text.startsWith("\ufeff") ? "refused" : attempt(sortJson);
    assert.deepEqual(attempt(sortJsonByScan), expected, text);
  }
});

test("the scan says where it stopped, and how deep is too deep", () => {
  const scan = (text) => sortJsonByScan(new TextEncoder().encode(text), { key: "k" });
  assert.throws(() => scan('[{"k":1} {}]'), /offset 9: expected `,` or `\]`, found `{`/);
  assert.throws(() => scan(`[{"k":${"[".repeat(100_000)}`), /no more than 512 levels/);
});

test("the scan follows a path, and the last of equal names", () => {
  const bytes = encode([{ a: { b: 2 } }, { a: { b: 1 } }, { a: 3 }, {}]);
  assert.deepEqual(Array.from(sortJsonByScan(bytes, { key: "a.b" }).permutation), [2, 3, 1, 0]);
  const twice = new TextEncoder().encode('[{"a":{"b":1},"a":{}},{"a":{"b":0}},{"x":{"b":-1}}]');
  assert.deepEqual(Array.from(sortJsonByScan(twice, { key: "a.b" }).permutation), [0, 2, 1]);
});
