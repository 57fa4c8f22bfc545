import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { isolationHeaders } from "./vite/isolation.ts";
import { precompress } from "./vite/precompress.ts";

/** A running `tombolo up examples/lab`; without one the lab's edge row says that there is no server. */
const edge = process.env["TOMBOLO_EDGE"] ?? "http://127.0.0.1:3000";
const proxy = { "/api": { target: edge, changeOrigin: true } };

export default defineConfig({
  // The lab may be mounted under a path: everything it names is relative.
  base: "./",
  plugins: [react(), precompress()],
  worker: { format: "es" },
  build: { target: "es2023", assetsInlineLimit: 0, sourcemap: true },
  server: { headers: isolationHeaders, proxy },
  preview: { headers: isolationHeaders, proxy },
});
