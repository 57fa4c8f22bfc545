import { spawn, type ChildProcess } from "node:child_process";
import type { Served } from "./server.ts";

const app = new URL("../../../examples/lab", import.meta.url).pathname;
const startMsMax = 180_000;

/**
 * Serves `examples/lab`, and with it the built lab, by the `tombolo` at `binary`, on a port of the
 * system's choice. Rejects, with all that it said, if it ends or does not listen in time.
 */
export async function tomboloUp(binary: string): Promise<Served> {
  const child = spawn(binary, ["up", app, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] });
  const url = await listening(child, `${binary} up ${app}`);
  return {
    url: `${url}/`,
    close: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

function listening(child: ChildProcess, command: string): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill("SIGKILL");
      reject(new Error(`\`${command}\` ${why}. It said:\n${said}`));
    };
    const timer = setTimeout(() => fail(`did not listen within ${startMsMax / 1000} s`), startMsMax);
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      const url = /Listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url.replace(/\/$/, ""));
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}
