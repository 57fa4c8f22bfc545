"""A subscriber as it is written against Python's spin-sdk 5: what comes is put into a list at the server."""

from spin_sdk import redis, variables
from spin_sdk.wit import exports
from spin_sdk.wit.imports.spin_redis_redis_3_0_0 import RedisParameter_Binary


class RedisHandler(exports.RedisHandler):
    async def handle_message(self, message: bytes) -> None:
        if message == b"fail":
            raise Exception("as it was asked to")
        with await redis.open(await variables.get("server")) as server:
            await server.execute("RPUSH", [RedisParameter_Binary(b"received"), RedisParameter_Binary(message)])
