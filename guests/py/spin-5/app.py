"""An app as it is written against Python's spin-sdk 5, on WASI 0.3: one path for each interface, each answers `ok`."""

from componentize_py_types import Err
from spin_sdk import http, key_value, llm, mqtt, mysql, postgres, redis, sqlite, util, variables
from spin_sdk.http import Request, Response, send
from spin_sdk.wit.imports import fermyon_spin_llm_2_0_0 as llm_wit
from spin_sdk.wit.imports import spin_key_value_key_value_3_0_0 as key_value_wit
from spin_sdk.wit.imports import spin_mqtt_mqtt_3_0_0 as mqtt_wit
from spin_sdk.wit.imports import spin_mysql_mysql_3_0_0 as mysql_wit
from spin_sdk.wit.imports import spin_postgres_postgres_4_2_0 as pg
from spin_sdk.wit.imports import spin_redis_redis_3_0_0 as redis_wit
from spin_sdk.wit.imports import spin_sqlite_sqlite_3_1_0 as sqlite_wit
from spin_sdk.wit.imports import spin_variables_variables_3_0_0 as variables_wit


class HttpHandler(http.Handler):
    async def handle_request(self, request: Request) -> Response:
        path, _, query = request.uri.partition("?")
        if path == "/http/it":
            return echo(request)
        if path == "/outbound":
            return await outbound(query)
        checks = {
            "/key-value": check_key_value,
            "/variables": check_variables,
            "/sqlite": check_sqlite,
            "/redis": lambda: check_redis(query),
            "/mqtt": lambda: check_mqtt(query),
            "/mysql": lambda: check_mysql(query),
            "/postgres": lambda: check_postgres(query),
            "/llm": check_llm,
        }
        await checks[path]()
        return Response(200, {}, b"ok")


async def refused(kind, call):
    """The call fails with an error of this kind, and with what it says."""
    try:
        await call
    except Err as error:
        assert isinstance(error.value, kind), error
        return getattr(error.value, "value", None)
    raise AssertionError(f"{kind} was expected")


def echo(request: Request) -> Response:
    """What came, sent back in another shape."""
    assert request.method == "POST"
    text = request.headers["spin-path-match-name"] + " " + str(request.body, "utf-8")
    return Response(201, {"x-app": "py-5"}, bytes(text, "utf-8"))


async def outbound(address: str) -> Response:
    """What the address answers, or `refused`."""
    try:
        answer = await send(Request("GET", address, {}, None))
        return Response(200, {}, answer.body)
    except Err:
        return Response(200, {}, b"refused")


async def check_key_value():
    with await key_value.open_default() as store:
        await store.set("key", b"value")
        assert await store.get("key") == b"value"
        assert await store.exists("key")
        assert "key" in await util.collect(await store.get_keys())
        await store.delete("key")
        assert await store.get("key") is None
    await refused(key_value_wit.Error_NoSuchStore, key_value.open("other"))


async def check_variables():
    assert await variables.get("region") == "eu-west"
    await refused(variables_wit.Error_Undefined, variables.get("nothing"))
    await refused(variables_wit.Error_InvalidName, variables.get("No-Name"))


async def check_sqlite():
    with await sqlite.Connection.open_default() as database:

        async def run(statement, parameters):
            columns, rows, done = await database.execute(statement, parameters)
            return columns, await util.collect((rows, done))

        await run("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT, data BLOB)", [])
        await run("DELETE FROM notes", [])
        row = [sqlite.Value_Integer(7), sqlite.Value_Text("one"), sqlite.Value_Blob(b"\0\1")]
        await run("INSERT INTO notes VALUES (?, ?, ?)", row)
        assert (await database.last_insert_rowid(), await database.changes()) == (7, 1)
        columns, rows = await run("SELECT id, text, data FROM notes", [])
        assert columns == ["id", "text", "data"]
        assert [row.values for row in rows] == [row], rows
        said = await refused(sqlite_wit.Error_Io, run("SELEC", []))
        assert "SELEC" in said, said
    await refused(sqlite_wit.Error_NoSuchDatabase, sqlite.Connection.open("other"))


async def check_redis(address: str):
    with await redis.open(address) as server:
        await server.set("key", b"value")
        assert await server.get("key") == b"value"
        assert await server.get("none") is None
        assert await server.del_(["key", "count", "set", "none"]) > 0
        assert (await server.incr("count"), await server.incr("count")) == (1, 2)
        assert await server.sadd("set", ["a", "b", "a"]) == 2
        assert await server.srem("set", ["a", "c"]) == 1
        assert await server.smembers("set") == ["b"]
        await server.publish("channel", b"message")
        assert await server.execute("PING", []) == [redis_wit.RedisResult_Status("PONG")]
        parameters = [redis_wit.RedisParameter_Binary(b"number"), redis_wit.RedisParameter_Int64(-7)]
        assert await server.execute("SET", parameters) == [redis_wit.RedisResult_Status("OK")]
        await refused(redis_wit.Error_TypeError, server.incr("set"))
        said = await refused(redis_wit.Error_Other, server.execute("NONE", []))
        assert "unknown command" in said, said
    await refused(redis_wit.Error_InvalidAddress, redis.open("redis://127.0.0.2:6379"))
    await refused(redis_wit.Error_Other, redis.open("redis://127.0.0.1:1"))


async def check_mqtt(address: str):
    with await mqtt.open(address, "", "", 30) as broker:
        qualities = [mqtt.Qos.AT_MOST_ONCE, mqtt.Qos.AT_LEAST_ONCE, mqtt.Qos.EXACTLY_ONCE]
        for number, quality in enumerate(qualities):
            await broker.publish("topic", bytes(str(number), "utf-8"), quality)
        await refused(mqtt_wit.Error_Other, broker.publish("a/#", b"", mqtt.Qos.AT_MOST_ONCE))
    await refused(mqtt_wit.Error_InvalidAddress, mqtt.open("no address", "", "", 0))
    await refused(mqtt_wit.Error_ConnectionFailed, mqtt.open("mqtt://127.0.0.2:1883", "", "", 0))


async def check_mysql(address: str):
    wit = mysql_wit
    with await mysql.open(address) as database:
        await database.execute("CREATE TABLE IF NOT EXISTS notes (id INT UNSIGNED, note VARCHAR(20), data BLOB)", [])
        await database.execute("DELETE FROM notes", [])
        row = [wit.ParameterValue_Uint32(1), wit.ParameterValue_Str("one"), wit.ParameterValue_Binary(b"\0\1")]
        await database.execute("INSERT INTO notes VALUES (?, ?, ?), (2, NULL, NULL)", row)
        columns, rows, done = await database.query("SELECT id, note, data FROM notes ORDER BY id", [])
        assert [column.name for column in columns] == ["id", "note", "data"]
        one, two = await util.collect((rows, done))
        assert one == [wit.DbValue_Uint32(1), wit.DbValue_Str("one"), wit.DbValue_Binary(b"\0\1")], one
        assert two == [wit.DbValue_Uint32(2), wit.DbValue_DbNull(), wit.DbValue_DbNull()], two
        await refused(wit.Error_QueryFailed, database.query("SELEC", []))
    await refused(wit.Error_ConnectionFailed, mysql.open("mysql://me@127.0.0.2/x"))


async def check_postgres(address: str):
    with await postgres.Connection.open(address) as database:
        parameters = [
            pg.ParameterValue_Uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            pg.ParameterValue_Decimal("12345678901234567890.5"),
            pg.ParameterValue_ArrayInt32([1, None]),
            pg.ParameterValue_Interval(pg.Interval(1, 2, 3)),
        ]
        statement = "SELECT $1::uuid AS one, $2::numeric, $3::int4[], $4::interval"
        columns, rows, done = await database.query(statement, parameters)
        expected = [
            pg.DbValue_Uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            pg.DbValue_Decimal("12345678901234567890.5"),
            pg.DbValue_ArrayInt32([1, None]),
            pg.DbValue_Interval(pg.Interval(1, 2, 3)),
        ]
        assert columns[0].name == "one"
        assert await util.collect((rows, done)) == [expected]
        await database.execute("CREATE TABLE IF NOT EXISTS notes_4 (id int4 CONSTRAINT one_of_each UNIQUE)", [])
        said = await refused(pg.Error_QueryFailed, database.execute("INSERT INTO notes_4 VALUES (1), (1)", []))
        assert said.value.code == "23505", said
    await refused(pg.Error_ConnectionFailed, postgres.Connection.open("postgres://me@127.0.0.2/x"))


async def check_llm():
    answer = llm.infer("llama2-chat", "Say it.")
    assert (answer.text, answer.usage.prompt_token_count) == ("It is said.", 9), answer
    try:
        llm.infer("other", "Say it.")
    except Err as error:
        assert isinstance(error.value, llm_wit.Error_ModelNotSupported), error
    else:
        raise AssertionError("the model is not granted")
