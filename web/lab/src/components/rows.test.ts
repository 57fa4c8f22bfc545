import { expect, test } from "vitest";
import { rowChunks } from "../inputs/rows.ts";
import { excerpt } from "./Excerpt.tsx";
import { columnsOf, paths } from "./RowList.tsx";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("generated rows are an array of that many objects, the same each time", () => {
  const text = [...rowChunks(2_500, 1_000)].join("");
  const rows: unknown = JSON.parse(text);
  expect(rows).toHaveLength(2_500);
  expect([...rowChunks(2_500, 700)].join("")).toBe(text);
  expect(JSON.parse([...rowChunks(0)].join(""))).toEqual([]);
});

test("columns are the members of a row, those of objects in it by their path", () => {
  expect(paths({ id: 1, wind: { speed: 2, from: { n: 1 } }, tags: [1], none: null }, "")).toEqual([
    "id",
    "wind.speed",
    "wind.from.n",
    "tags",
    "none",
  ]);
  expect(columnsOf({ length: 0, at: () => undefined, origin: () => 0 })).toEqual([]);
});

test("an excerpt marks the byte, and says where the text ends", () => {
  expect(excerpt(bytes('[{"a":1},,]'), 9)).toEqual({ before: '[{"a":1},', at: ",", after: "]" });
  expect(excerpt(bytes("[1"), 2)).toEqual({ before: "[1", at: "end of the text", after: "" });
  const long = excerpt(bytes("x".repeat(500)), 250);
  expect([long.before.length, long.after.length]).toEqual([41, 40]);
});
