// The README's examples compile against the package as npm would install it, so that it cannot rot.

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

let root: string;
beforeAll(async () => {
  await mkdir(join(PACKAGE, "build"), { recursive: true });
  // Inside this folder, so that React's types are found; a copy, so that only what is published is.
  root = await mkdtemp(join(PACKAGE, "build/readme-"));
  const installed = join(root, "node_modules/@tombolo/web");
  for (const part of ["dist", "package.json"]) await cp(join(PACKAGE, part), join(installed, part), { recursive: true });
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Blocks of code that claim to be TypeScript, each with the line it starts on. */
function blocks(page: string): { line: number; kind: "ts" | "tsx"; code: string }[] {
  return [...page.matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(({ index, 1: kind, 2: code }) => ({
    line: page.slice(0, index).split("\n").length,
    kind: kind as "ts" | "tsx",
    code: code as string,
  }));
}

/** What the compiler has to say of these files; nothing if they are right. */
async function complaints(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder);
  for (const [name, code] of Object.entries(files)) await writeFile(join(folder, name), code);
  const options = { noEmit: true, jsx: "react-jsx", noUnusedLocals: false };
  const base = join(PACKAGE, "../tsconfig.base.json");
  const project = { extends: base, compilerOptions: options, files: Object.keys(files) };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(project));
  const compiler = join(PACKAGE, "../node_modules/.bin/tsc");
  return new Promise((resolve, reject) => {
    execFile(compiler, ["--project", folder, "--pretty", "false"], { cwd: folder }, (error, said, failure) => {
      // A compiler that ran has an exit status; one that did not has the name of an error.
      if (error && typeof error.code !== "number") reject(error);
      else resolve(error ? said + failure : "");
    });
  });
}

it("has examples that compile", async () => {
  const found = blocks(await readFile(join(PACKAGE, "README.md"), "utf8"));
  expect(found.map(({ kind }) => kind)).toContain("tsx");
  expect(found.length).toBeGreaterThanOrEqual(5);
  const files = Object.fromEntries(found.map(({ line, kind, code }) => [`line-${line}.${kind}`, code]));
  expect(await complaints(join(root, "examples"), files)).toBe("");
});

it("notices an example that uses what is not there", async () => {
  const code = 'import { loadKernels } from "@tombolo/web";\nawait (await loadKernels()).sharpen();\n';
  expect(await complaints(join(root, "wrong"), { "wrong.ts": code })).toMatch(/wrong\.ts.*sharpen/);
});
