import { Absent } from "./bench/experiment.ts";

/** Whether a Tombolo node with the lab's `api` component answers where this page came from. */
export type Edge =
  | { readonly state: "asking" }
  | { readonly state: "present" }
  | { readonly state: "absent"; readonly why: string };

/** An answer of the edge with the time that its kernel took there. */
export interface EdgeAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly computeMs: number;
}

/** What the edge said about a request it refused. */
export class EdgeError extends Error {
  override readonly name = "EdgeError";
}

/** Relative to the page: the lab may be mounted under a path. */
const api = (path: string): URL => new URL(`api/${path}`, document.baseURI);

/** Asks for the smallest computation there is. Never throws. */
export async function findEdge(signal: AbortSignal): Promise<Edge> {
  try {
    const answer = await fetch(api("fibonacci?n=1"), { signal });
    const isOurs = answer.ok && answer.headers.get("content-type")?.includes("json") === true;
    if (!isOurs) return { state: "absent", why: `no server: /api answered ${answer.status}` };
    const body: unknown = await answer.json();
    if (typeof body === "object" && body !== null && "result" in body) return { state: "present" };
    return { state: "absent", why: "no server: /api is something else" };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { state: "absent", why: `no server: ${why}` };
  }
}

/** Throws {@link Absent} unless the edge answers. */
export async function requireEdge(signal: AbortSignal): Promise<void> {
  const edge = await findEdge(signal);
  if (edge.state === "absent") throw new Absent(edge.why);
}

export async function edgeFibonacci(n: number, signal: AbortSignal): Promise<{ result: string; computeMs: number }> {
  const body = await json(await fetch(api(`fibonacci?n=${n}`), { signal }));
  return { result: text(body, "result"), computeMs: number(body, "computeMs") };
}

export async function edgeCrc32(
  body: Blob | Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<{ crc32: string; computeMs: number }> {
  const answer = await json(await fetch(api("crc32"), { method: "POST", body, signal }));
  return { crc32: text(answer, "crc32"), computeMs: number(answer, "computeMs") };
}

/** Posts bytes to `path` and takes bytes back: blur, sort and matmul. */
export async function edgeBytes(
  path: "blur" | "sort" | "matmul",
  query: Readonly<Record<string, string | number | boolean>>,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<EdgeAnswer> {
  const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
  const answer = await checked(await fetch(api(`${path}?${search}`), { method: "POST", body, signal }));
  const computeMs = Number(answer.headers.get("x-compute-ms") ?? Number.NaN);
  return { bytes: new Uint8Array(await answer.arrayBuffer()), computeMs };
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const said = await answer.text();
  throw new EdgeError(`The edge answered ${answer.status}: ${reason(said)}`);
}

/** The `error` of the edge's JSON; of anything else, its first line. */
function reason(said: string): string {
  try {
    const body: unknown = JSON.parse(said);
    if (typeof body === "object" && body !== null && "error" in body) return String(body.error);
  } catch {
    // Not ours: a proxy's page, perhaps. Its first line has to do.
  }
  return said.split("\n", 1)[0]?.slice(0, 200) || "no reason given";
}

async function json(answer: Response): Promise<object> {
  const body: unknown = await (await checked(answer)).json();
  if (typeof body !== "object" || body === null) throw new EdgeError("The edge answered with no JSON object");
  return body;
}

function text(body: object, key: string): string {
  const value: unknown = Reflect.get(body, key);
  if (typeof value !== "string") throw new EdgeError(`The edge's answer has no text \`${key}\``);
  return value;
}

function number(body: object, key: string): number {
  const value: unknown = Reflect.get(body, key);
  if (typeof value !== "number") throw new EdgeError(`The edge's answer has no number \`${key}\``);
  return value;
}
