import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { isolationHeaders } from "../vite/isolation.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

const dist = new URL("../dist/", import.meta.url).pathname;

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the built lab and nothing else: `/api` is 404, as where there is no Tombolo. */
export async function serveLab(isolation: "isolated" | "not isolated"): Promise<Served> {
  const headers = isolation === "isolated" ? isolationHeaders : {};
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://lab").pathname);
    const file = join(dist, path === "/" ? "index.html" : path);
    readFile(file).then(
      (bytes) => response.writeHead(200, { ...headers, "content-type": types[extname(file)] ?? "text/plain" }).end(bytes),
      () => response.writeHead(404, headers).end("not found"),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
