import { expect, test } from "vitest";
import { placeOf } from "../route.ts";
import { noteOf } from "./note.ts";
import { advance } from "./reading.ts";
import { initialSettings, toggled } from "./settings.ts";

test("whoever is taken in again comes back to the same place", () => {
  const without = toggled(initialSettings, "baseline");
  expect(without.contenders).toEqual(["javascript", "simd", "threads", "edge"]);
  expect(toggled(without, "baseline")).toEqual(initialSettings);
});

test("a fragment names a place, anything else the overview", () => {
  expect(["", "#/", "#/blur", "#sort", "#/nonsense", "#/blur/x"].map(placeOf)).toEqual([
    "overview",
    "overview",
    "blur",
    "sort",
    "overview",
    "overview",
  ]);
});

test("steps that come after the end change nothing", () => {
  const idle = { state: "idle" } as const;
  expect(advance(idle, { type: "end" })).toBe(idle);
  expect(advance(idle, { type: "progress", contender: "simd", progress: 0.5 })).toBe(idle);
});

test("a note has a kernel's code in words, its message, and the offset", () => {
  const error = Object.assign(new Error("a comma is missing"), { code: "invalid-json", offset: 17 });
  expect(noteOf(error)).toEqual({ title: "This is not valid JSON", detail: "a comma is missing", offset: 17 });
  expect(noteOf("what")).toEqual({ title: "Something unexpected was thrown", detail: "what" });
});
