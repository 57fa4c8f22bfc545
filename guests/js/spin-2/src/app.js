// An app as it is written against JavaScript's spin-sdk 2: one path for each interface, each answers `ok`.
import { Kv, Llm, Mqtt, Mysql, Postgres, Redis, Sqlite, Variables } from "@fermyon/spin-sdk";

addEventListener("fetch", (event) => event.respondWith(handle(event.request)));

async function handle(request) {
  const { pathname, search } = new URL(request.url);
  const query = search.slice(1);
  switch (pathname) {
    case "/http/it":
      return await echo(request);
    case "/outbound":
      return await outbound(query);
    case "/key-value":
      keyValue();
      break;
    case "/variables":
      variables();
      break;
    case "/sqlite":
      sqlite();
      break;
    case "/llm":
      llm();
      break;
    case "/redis":
      redis(query);
      break;
    case "/mqtt":
      mqtt(query);
      break;
    case "/mysql":
      mysql(query);
      break;
    case "/postgres":
      postgres(query);
      break;
    default:
      throw new Error(pathname);
  }
  return new Response("ok");
}

function same(found, expected) {
  const text = (value) =>
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part instanceof Uint8Array ? [...part] : part));
  if (text(found) !== text(expected)) {
    throw new Error(`${text(found)}, expected ${text(expected)}`);
  }
}

// The call fails with an error of this kind.
function refused(tag, call) {
  let payload;
  try {
    call();
  } catch (error) {
    payload = error.payload ?? error;
  }
  same(payload?.tag, tag);
  return payload.val;
}

// What came, sent back in another shape.
async function echo(request) {
  same(request.method, "POST");
  const text = `${request.headers.get("spin-path-match-name")} ${await request.text()}`;
  return new Response(text, { status: 201, headers: { "x-app": "js-2" } });
}

// What the address answers, or `refused`.
async function outbound(address) {
  try {
    const answer = await fetch(address);
    return new Response(await answer.text());
  } catch {
    return new Response("refused");
  }
}

function keyValue() {
  const store = Kv.openDefault();
  store.set("key", "value");
  same(new TextDecoder().decode(store.get("key")), "value");
  same([store.exists("key"), store.getKeys().includes("key")], [true, true]);
  store.setJson("key", { a: 1 });
  same(store.getJson("key"), { a: 1 });
  store.delete("key");
  same(store.get("key") ?? null, null);
  refused("no-such-store", () => Kv.open("other"));
}

function variables() {
  same(Variables.get("region"), "eu-west");
  same(Variables.get("nothing"), null);
}

function sqlite() {
  const database = Sqlite.openDefault();
  database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER, text TEXT, data BLOB)", []);
  database.execute("DELETE FROM notes", []);
  const data = { tag: "blob", val: new Uint8Array([0, 1]) };
  database.execute("INSERT INTO notes VALUES (?, ?, ?)", [1n, "one", data]);
  const found = database.execute("SELECT id, text, data FROM notes", []);
  same(found, { columns: ["id", "text", "data"], rows: [{ id: 1, text: "one", data: [0, 1] }] });
  refused("io", () => database.execute("SELEC", []));
  refused("no-such-database", () => Sqlite.open("other"));
}

function llm() {
  const answer = Llm.infer("llama2-chat", "Say it.");
  same([answer.text, answer.usage.promptTokenCount], ["It is said.", 9]);
  refused("model-not-supported", () => Llm.infer("other", "Say it."));
}

function redis(address) {
  const bytes = (text) => new TextEncoder().encode(text);
  const server = Redis.open(address);
  server.set("key", bytes("value"));
  same(server.get("key"), bytes("value"));
  same(server.get("none") ?? null, null);
  same(server.del(["key", "count", "set", "none"]) > 0, true);
  same([server.incr("count"), server.incr("count")], [1, 2]);
  same(server.sadd("set", ["a", "b", "a"]), 2);
  same(server.srem("set", ["a", "c"]), 1);
  same(server.smembers("set"), ["b"]);
  server.publish("channel", bytes("message"));
  same(server.execute("PING", []), [{ tag: "status", val: "PONG" }]);
  refused("type-error", () => server.incr("set"));
  refused("other", () => server.execute("NONE", []));
  refused("invalid-address", () => Redis.open("redis://127.0.0.2:6379"));
}

function mqtt(address) {
  const broker = Mqtt.open(address, "", "", 30n);
  [Mqtt.QoS.AtMostOnce, Mqtt.QoS.AtLeastOnce, Mqtt.QoS.ExactlyOnce].forEach((quality, number) => {
    broker.publish("topic", new TextEncoder().encode(`${number}`), quality);
  });
  refused("connection-failed", () => Mqtt.open("mqtt://127.0.0.2:1883", "", "", 30n));
}

function mysql(address) {
  const database = Mysql.open(address);
  database.execute("CREATE TABLE IF NOT EXISTS notes (id INT, note VARCHAR(20))", []);
  database.execute("DELETE FROM notes", []);
  database.execute("INSERT INTO notes VALUES (?, ?), (2, NULL)", [1, "one"]);
  const found = database.query("SELECT id, note FROM notes ORDER BY id", []);
  same(found.rows, [{ id: 1, note: "one" }, { id: 2, note: null }]);
  refused("query-failed", () => database.query("SELEC", []));
  refused("connection-failed", () => Mysql.open("mysql://me@127.0.0.2/x"));
}

function postgres(address) {
  const database = Postgres.open(address);
  database.execute("CREATE TABLE IF NOT EXISTS notes_js (id int4, note text)", []);
  database.execute("DELETE FROM notes_js", []);
  database.execute("INSERT INTO notes_js VALUES ($1, $2), (2, NULL)", [1, "one"]);
  const found = database.query("SELECT id, note FROM notes_js ORDER BY id", []);
  same(found.rows, [{ id: 1, note: "one" }, { id: 2, note: null }]);
  refused("query-failed", () => database.query("SELEC", []));
  refused("connection-failed", () => Postgres.open("postgres://me@127.0.0.2/x"));
}
