"""The credential of a web server's file: sent to that server, and nowhere else."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Middleware = Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]


def authorization(secret: str) -> str:
    """Return the header `Authorization` of a secret: `user:password` as it is for basic, anything else for bearer."""
    return f"Basic {base64.b64encode(secret.encode()).decode()}" if ":" in secret else f"Bearer {secret}"


def only_at(url: str, header: str) -> Middleware:
    """Return what adds a header `Authorization` to aiohttp's requests to the origin of a URL.

    A redirect elsewhere gets none, and neither does a place that anyone between could read along.
    """
    from yarl import URL

    origin = URL(url).origin()
    safe = origin.scheme == "https" or origin.host in LOOPBACK

    async def add(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        if safe and request.url.origin() == origin:
            request.headers["Authorization"] = header
        return await handler(request)

    return add
