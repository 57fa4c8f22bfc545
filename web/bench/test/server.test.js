import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "../src/server.js";

/** By `http`, since `fetch` tidies paths before it sends them. */
const status = (origin, path) => new Promise((resolve, reject) => {
  get(`${origin}`, { path }, (response) => resolve(response.resume().statusCode)).on("error", reject);
});

test("scripts come isolated, nothing comes from outside the folder", async () => {
  const server = await serve(fileURLToPath(new URL("../src", import.meta.url)));
  try {
    const response = await fetch(`${server.origin}/server.js`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/javascript; charset=utf-8");
    assert.equal(response.headers.get("cross-origin-embedder-policy"), "require-corp");
    assert.equal(await status(server.origin, "/nothing.js"), 404);
    assert.equal(await status(server.origin, "/../test/server.test.js"), 404);
    assert.equal(await status(server.origin, "/..%2Ftest%2Fserver.test.js"), 404);
    assert.equal(await status(server.origin, "/%"), 404);
  } finally {
    await server.close();
  }
});
