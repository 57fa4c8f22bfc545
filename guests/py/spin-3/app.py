"""An app as it is written against Python's spin-sdk 3: one path for each interface, each answers `ok`."""

from spin_sdk import http, key_value, mqtt, mysql, postgres, redis, variables
from spin_sdk.http import Request, Response, send
from spin_sdk.mqtt import Qos

# `spin_sdk.sqlite` of 3.4 imports a module that its build tool names otherwise; these are what it would wrap.
from spin_sdk.wit.imports import fermyon_spin_sqlite as sqlite_2
from spin_sdk.wit.imports import key_value as key_value_wit
from spin_sdk.wit.imports import llm as llm_wit
from spin_sdk.wit.imports import mqtt as mqtt_wit
from spin_sdk.wit.imports import redis as redis_wit
from spin_sdk.wit.imports import rdbms_types as rdbms
from spin_sdk.wit.imports import spin_postgres_postgres_4_0_0 as postgres_4
from spin_sdk.wit.imports import spin_sqlite_sqlite as sqlite_3
from spin_sdk.wit.imports import variables as variables_wit
from spin_sdk.wit.types import Err


class IncomingHandler(http.IncomingHandler):
    def handle_request(self, request: Request) -> Response:
        path, _, query = request.uri.partition("?")
        if path == "/http/it":
            return echo(request)
        if path == "/outbound":
            return outbound(query)
        checks = {
            "/key-value": check_key_value,
            "/variables": check_variables,
            "/sqlite-2": lambda: check_sqlite(sqlite_2),
            "/sqlite-3": lambda: check_sqlite(sqlite_3),
            "/redis": lambda: check_redis(query),
            "/mqtt": lambda: check_mqtt(query),
            "/mysql": lambda: check_mysql(query),
            "/postgres-2": lambda: check_postgres_2(query),
            "/postgres-4": lambda: check_postgres_4(query),
            "/llm": check_llm,
        }
        checks[path]()
        return Response(200, {}, b"ok")


def refused(kind, call, *arguments):
    """The call fails with an error of this kind, and with what it says."""
    try:
        call(*arguments)
    except Err as error:
        assert isinstance(error.value, kind), error
        return getattr(error.value, "value", None)
    raise AssertionError(f"{kind} was expected")


def echo(request: Request) -> Response:
    """What came, sent back in another shape."""
    assert request.method == "POST"
    text = request.headers["spin-path-match-name"] + " " + str(request.body, "utf-8")
    return Response(201, {"x-app": "py-3"}, bytes(text, "utf-8"))


def outbound(address: str) -> Response:
    """What the address answers, or `refused`."""
    try:
        return Response(200, {}, send(Request("GET", address, {}, None)).body)
    except Err:
        return Response(200, {}, b"refused")


def check_key_value():
    with key_value.open_default() as store:
        store.set("key", b"value")
        assert store.get("key") == b"value"
        assert store.exists("key") and "key" in store.get_keys()
        store.delete("key")
        assert store.get("key") is None
    refused(key_value_wit.Error_NoSuchStore, key_value.open, "other")


def check_variables():
    assert variables.get("region") == "eu-west"
    refused(variables_wit.Error_Undefined, variables.get, "nothing")
    refused(variables_wit.Error_InvalidName, variables.get, "No-Name")


def check_sqlite(sqlite):
    with sqlite.Connection.open("default") as database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER, text TEXT, data BLOB, part REAL)", [])
        database.execute("DELETE FROM notes", [])
        row = [sqlite.Value_Integer(1), sqlite.Value_Text("one"), sqlite.Value_Blob(b"\0\1"), sqlite.Value_Null()]
        database.execute("INSERT INTO notes VALUES (?, ?, ?, ?)", row)
        found = database.execute("SELECT id, text, data, part, 0.5 FROM notes", [])
        assert found.columns[:4] == ["id", "text", "data", "part"], found.columns
        assert found.rows[0].values == [*row, sqlite.Value_Real(0.5)], found.rows
        said = refused(sqlite.Error_Io, database.execute, "SELEC", [])
        assert "SELEC" in said, said
    refused(sqlite.Error_NoSuchDatabase, sqlite.Connection.open, "other")


def check_redis(address: str):
    with redis.open(address) as server:
        server.set("key", b"value")
        assert server.get("key") == b"value"
        assert server.get("none") is None
        assert server.del_(["key", "count", "set", "none"]) > 0
        assert (server.incr("count"), server.incr("count")) == (1, 2)
        assert server.sadd("set", ["a", "b", "a"]) == 2
        assert server.srem("set", ["a", "c"]) == 1
        assert server.smembers("set") == ["b"]
        server.publish("channel", b"message")
        assert server.execute("PING", []) == [redis_wit.RedisResult_Status("PONG")]
        parameters = [redis_wit.RedisParameter_Binary(b"number"), redis_wit.RedisParameter_Int64(-7)]
        assert server.execute("SET", parameters) == [redis_wit.RedisResult_Status("OK")]
        asked = [redis_wit.RedisParameter_Binary(b"number"), redis_wit.RedisParameter_Binary(b"none")]
        assert server.execute("MGET", asked) == [redis_wit.RedisResult_Binary(b"-7"), redis_wit.RedisResult_Nil()]
        refused(redis_wit.Error_TypeError, server.incr, "set")
        assert "unknown command" in refused(redis_wit.Error_Other, server.execute, "NONE", [])
    refused(redis_wit.Error_InvalidAddress, redis.open, "redis://127.0.0.2:6379")
    refused(redis_wit.Error_Other, redis.open, "redis://127.0.0.1:1")


def check_mqtt(address: str):
    with mqtt.open(address, "", "", 30) as broker:
        qualities = [Qos.AT_MOST_ONCE, Qos.AT_LEAST_ONCE, Qos.EXACTLY_ONCE]
        for number, quality in enumerate(qualities):
            broker.publish("topic", bytes(str(number), "utf-8"), quality)
        refused(mqtt_wit.Error_Other, broker.publish, "a/#", b"", Qos.AT_MOST_ONCE)
    refused(mqtt_wit.Error_InvalidAddress, mqtt.open, "no address", "", "", 0)
    refused(mqtt_wit.Error_ConnectionFailed, mqtt.open, "mqtt://127.0.0.2:1883", "", "", 0)


def check_mysql(address: str):
    with mysql.open(address) as database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (id INT UNSIGNED, note VARCHAR(20), data BLOB)", [])
        database.execute("DELETE FROM notes", [])
        row = [rdbms.ParameterValue_Uint32(1), rdbms.ParameterValue_Str("one"), rdbms.ParameterValue_Binary(b"\0\1")]
        database.execute("INSERT INTO notes VALUES (?, ?, ?), (2, NULL, NULL)", row)
        found = database.query("SELECT id, note, data FROM notes ORDER BY id", [])
        assert [column.name for column in found.columns] == ["id", "note", "data"]
        one, two = found.rows
        assert one == [rdbms.DbValue_Uint32(1), rdbms.DbValue_Str("one"), rdbms.DbValue_Binary(b"\0\1")], one
        assert two == [rdbms.DbValue_Uint32(2), rdbms.DbValue_DbNull(), rdbms.DbValue_DbNull()], two
        assert "SELEC" in refused(rdbms.Error_QueryFailed, database.query, "SELEC", [])
        refused(rdbms.Error_BadParameter, database.query, "SELECT ?", [])
    refused(rdbms.Error_ConnectionFailed, mysql.open, "mysql://me@127.0.0.2/x")


def check_postgres_2(address: str):
    with postgres.open(address) as database:
        database.execute("CREATE TABLE IF NOT EXISTS notes_2 (id int4, note text, data bytea)", [])
        database.execute("DELETE FROM notes_2", [])
        row = [rdbms.ParameterValue_Int32(1), rdbms.ParameterValue_Str("one"), rdbms.ParameterValue_Binary(b"\0\1")]
        assert database.execute("INSERT INTO notes_2 VALUES ($1, $2, $3), (2, NULL, NULL)", row) == 2
        found = database.query("SELECT id, note, data FROM notes_2 ORDER BY id", [])
        assert [column.name for column in found.columns] == ["id", "note", "data"]
        one, two = found.rows
        assert one == [rdbms.DbValue_Int32(1), rdbms.DbValue_Str("one"), rdbms.DbValue_Binary(b"\0\1")], one
        assert two == [rdbms.DbValue_Int32(2), rdbms.DbValue_DbNull(), rdbms.DbValue_DbNull()], two
        assert "SELEC" in refused(rdbms.Error_QueryFailed, database.query, "SELEC", [])
    refused(rdbms.Error_ConnectionFailed, postgres.open, "postgres://me@127.0.0.2/x")


def check_postgres_4(address: str):
    pg = postgres_4
    with pg.Connection.open(address) as database:
        parameters = [
            pg.ParameterValue_Uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            pg.ParameterValue_Decimal("12345678901234567890.5"),
            pg.ParameterValue_ArrayInt32([1, None]),
            pg.ParameterValue_Interval(pg.Interval(1, 2, 3)),
        ]
        found = database.query("SELECT $1::uuid, $2::numeric, $3::int4[], $4::interval", parameters)
        expected = [
            pg.DbValue_Uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            pg.DbValue_Decimal("12345678901234567890.5"),
            pg.DbValue_ArrayInt32([1, None]),
            pg.DbValue_Interval(pg.Interval(1, 2, 3)),
        ]
        assert found.rows[0] == expected, found.rows
        database.execute("CREATE TABLE IF NOT EXISTS notes_4 (id int4 CONSTRAINT one_of_each UNIQUE)", [])
        said = refused(pg.Error_QueryFailed, database.query, "INSERT INTO notes_4 VALUES (1), (1)", [])
        assert said.value.code == "23505", said


def check_llm():
    answer = llm_wit.infer("llama2-chat", "Say it.", None)
    assert (answer.text, answer.usage.prompt_token_count) == ("It is said.", 9), answer
    refused(llm_wit.Error_ModelNotSupported, llm_wit.infer, "other", "Say it.", None)
