// The server of the page under test: the built package, the tests, and a few things that are broken.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How the server behaves. */
export interface Behaviour {
  /** With COOP and COEP. */
  readonly isolated: boolean;
  /** What becomes of the program of workers. Default: it is served. */
  readonly worker?: "missing" | "throwing";
  /** A folder of another site to serve instead of the test page. */
  readonly site?: string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css",
  ".map": "application/json",
  ".wasm": "application/wasm",
};

const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

const PAGE = `<!doctype html>
<title>@tombolo/web under test</title>
<link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "@tombolo/web": "/package/index.js", "@tombolo/web/": "/package/" } }</script>
<script type="module">
  const { page } = await import("/page/main.js");
  globalThis.page = page;
  globalThis.ready = true;
</script>`;

/** What a path leads to; nothing: 404. */
async function answer(path: string, { worker, site }: Behaviour): Promise<{ type: string; body: string | Buffer } | undefined> {
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  if (site !== undefined) return { type: TYPES[extname(path) || ".html"] ?? type, body: await read(site, path === "/" ? "index.html" : path) };
  const [, folder, ...rest] = path.split("/");
  const name = rest.join("/");
  switch (folder) {
    case "":
      return { type: "text/html; charset=utf-8", body: PAGE };
    case "page":
      return { type, body: await read(join(ROOT, "build/page"), name) };
    case "package":
      if (name === "worker.js" && worker === "missing") return undefined;
      if (name === "worker.js" && worker === "throwing") return { type, body: "throw new Error('no such luck');" };
      return { type, body: await read(join(ROOT, "dist"), name) };
    case "untyped":
      return { type: "application/octet-stream", body: await read(join(ROOT, "dist/wasm"), name) };
    case "garbage":
      return { type, body: "this is no module" };
    case "trapping":
      return { type, body: trapping(await read(join(ROOT, "dist/wasm"), name)) };
    default:
      return undefined;
  }
}

async function read(folder: string, name: string): Promise<Buffer> {
  const file = normalize(join(folder, name));
  if (!file.startsWith(normalize(folder))) throw new Error(`${name} is outside of ${folder}`);
  return readFile(file);
}

/** A real module, but its `tk_fibonacci` traps. */
function trapping(wasm: Buffer): Buffer {
  const { Features } = binaryen;
  const module = binaryen.readBinary(new Uint8Array(wasm));
  try {
    // Not all features: that would emit what engines refuse.
    module.setFeatures(
      Features.Atomics | Features.SIMD128 | Features.RelaxedSIMD | Features.BulkMemory | Features.MutableGlobals |
        Features.NontrappingFPToInt | Features.SignExt | Features.ReferenceTypes | Features.Multivalue,
    );
    const { value } = binaryen.getExportInfo(module.getExport("tk_fibonacci"));
    module.removeFunction(value);
    module.addFunction(value, binaryen.i32, binaryen.i64, [], module.unreachable());
    return Buffer.from(module.emitBinary());
  } finally {
    module.dispose();
  }
}

export interface Running {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves on a port that was free. */
export async function serve(behaviour: Behaviour): Promise<Running> {
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const headers = behaviour.isolated ? ISOLATION : {};
    answer(pathname, behaviour)
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      })
      .then((found) => {
        const type = found?.type ?? "text/plain";
        response.writeHead(found ? 200 : 404, { ...headers, "content-type": type, "cache-control": "no-store" });
        response.end(found?.body ?? "not found");
      })
      .catch((error: Error) => {
        response.writeHead(500, headers);
        response.end(error.stack);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
