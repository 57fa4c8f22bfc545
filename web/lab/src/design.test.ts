import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, ".");
const files = readdirSync(source, { recursive: true, encoding: "utf8" });
const lines = (name: string): [string, string][] =>
  readFileSync(join(source, name), "utf8")
    .split("\n")
    .map((line, index) => [`${name}:${index + 1}: ${line.trim()}`, line]);

/** Lengths and times with a unit; not shares, not numbers without one. */
const length = /(?<![\w#-])\d*\.?\d+(?:px|r?em|ch|v[hw]|pt|m?s)\b/;
const colour = /#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch|oklab|color)a?\(/i;

test("every colour and size of the style sheets is in tokens.css", () => {
  const sheets = files.filter((name) => name.endsWith(".css") && name !== "tokens.css");
  expect(sheets.length).toBeGreaterThan(3);
  const stray = sheets.flatMap(lines).filter(([, line]) => {
    // A condition of `@media` cannot name a token.
    return !line.includes("@media") && (length.test(line) || colour.test(line));
  });
  expect(stray.map(([where]) => where)).toEqual([]);
});

test("components have no colours and no sizes of their own", () => {
  const components = files.filter((name) => name.endsWith(".tsx"));
  expect(components.length).toBeGreaterThan(10);
  const stray = components.flatMap(lines).filter(([, line]) => /["'`]\d+(?:px|r?em)["'`]/.test(line) || /["'`]#[0-9a-f]{3,8}["'`]/i.test(line));
  expect(stray.map(([where]) => where)).toEqual([]);
});

test("every token is used, and every token that is used is there", () => {
  const named = (text: string, pattern: RegExp): Set<string> => new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""));
  const sheets = files.filter((name) => name.endsWith(".css")).map((name) => readFileSync(join(source, name), "utf8"));
  const components = files.filter((name) => name.endsWith(".tsx")).map((name) => readFileSync(join(source, name), "utf8"));
  const set = named([...sheets, ...components].join("\n"), /(--[\w-]+)"?:/g);
  const used = named(sheets.join("\n"), /var\((--[\w-]+)/g);
  expect([...used].filter((token) => !set.has(token))).toEqual([]);
  expect([...set].filter((token) => !used.has(token))).toEqual([]);
});

test("only edge.ts speaks to a server", () => {
  const code = files.filter((name) => /\.tsx?$/.test(name) && !name.includes(".test.") && name !== "edge.ts");
  expect(code.flatMap(lines).filter(([, line]) => /\bfetch\(/.test(line)).map(([where]) => where)).toEqual([]);
});

test("files stay below 300 lines", () => {
  const long = files.filter((name) => /\.(?:tsx?|css)$/.test(name) && lines(name).length > 300);
  expect(long).toEqual([]);
});
