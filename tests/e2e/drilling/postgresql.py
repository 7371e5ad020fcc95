"""A way from blocking code to PostgreSQL by asyncpg, for where psycopg2 is not installed."""

import asyncio
import functools
import struct
import threading
from collections.abc import Coroutine
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
    PGDialect_asyncpg,
)
from sqlalchemy.pool import QueuePool

NUMBERS = {"int4": (int, ">i"), "int8": (int, ">q"), "float8": (float, ">d")}
"""Python's types, and how they stand on the wire."""


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """The one that all connections of this process belong to."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def _await(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def awaited() -> Any:
        return await coroutine

    return asyncio.run_coroutine_threadsafe(awaited(), _loop()).result()


class Connection(AsyncAdapt_asyncpg_connection):
    """One whose caller waits."""

    await_ = staticmethod(_await)


class Driver(AsyncAdapt_asyncpg_dbapi):
    """asyncpg, as SQLAlchemy asks for a driver."""

    def connect(self, *words: Any, **more: Any) -> Connection:
        return Connection(self, _await(self._lenient(*words, **more)))

    async def _lenient(self, *words: Any, **more: Any) -> Any:
        """Connect, and have "1" taken where a number is wanted, as psycopg2 and the server do."""
        connection = await self.asyncpg.connect(*words, **more)
        for name, (python, wire) in NUMBERS.items():
            layout = struct.Struct(wire)

            def encode(value: Any, python: Any = python, layout: struct.Struct = layout) -> bytes:
                return layout.pack(python(value))

            def decode(data: bytes, layout: struct.Struct = layout) -> Any:
                return layout.unpack(data)[0]

            await connection.set_type_codec(name, schema="pg_catalog", encoder=encode, decoder=decode, format="binary")
        return connection


class Dialect(PGDialect_asyncpg):
    """What `postgresql+blocking://` in an address means."""

    driver = "blocking"
    is_async = False
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Driver:
        return Driver(asyncpg)

    @classmethod
    def get_pool_class(cls, url: Any) -> type[QueuePool]:
        return QueuePool
