"""A subscriber as it is written against Python's spin-sdk 3: what comes is put into a list at the server."""

from spin_sdk import redis, variables
from spin_sdk.wit import exports
from spin_sdk.wit.imports.redis import RedisParameter_Binary


class InboundRedis(exports.InboundRedis):
    def handle_message(self, message: bytes):
        if message == b"fail":
            raise Exception("as it was asked to")
        with redis.open(variables.get("server")) as server:
            server.execute("RPUSH", [RedisParameter_Binary(b"received"), RedisParameter_Binary(message)])
