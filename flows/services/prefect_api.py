"""Prefect's API without Prefect's client, whose import would double the time that `ganflow up` itself needs."""

import base64
import http.client
import json
import time
import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds, before each new try where the server is busy


class PrefectApiError(OSError):
    """The API answered, and with an error; `status` is its number."""

    def __init__(self, status: int, path: str, content: bytes) -> None:
        super().__init__(f"{path} of Prefect's API answered {status}: {content[:200].decode(errors='replace')}")
        self.status = status


class PrefectApi:
    """An API that may ask for a password and for proof that no foreign web page is asking (CSRF).

    Args:
        url: of the API, `http://host:port/api`.
        auth_string: `name:password`; None where the server asks for none.
    """

    def __init__(self, url: str, auth_string: str | None) -> None:
        self._parts = urlsplit(url)
        self._headers = {"Content-Type": "application/json"}
        if auth_string:
            self._headers["Authorization"] = f"Basic {base64.b64encode(auth_string.encode()).decode()}"
        self._proof: dict[str, str] | None = None

    def refuses(self) -> bool:
        """Whether the server does not let us in.

        Raises:
            OSError: nothing answers.
        """
        return self._ask("GET", "/version", self._headers)[0] in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON and return the answer's.

        Raises:
            PrefectApiError: the answer is an error.
            OSError: nothing answers.
        """
        return _parsed(self._send("POST", path, body))

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Change by JSON what the path names; raises as `post` does."""
        self._send("PATCH", path, body)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> bytes:
        if self._proof is None:
            self._proof = self._prove()
        status, content = self._ask(method, path, self._headers | self._proof, json.dumps(body))
        for pause in _PAUSES:  # its database is locked for the moment; nothing was changed
            if status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(pause)
            status, content = self._ask(method, path, self._headers | self._proof, json.dumps(body))
        if status >= HTTPStatus.BAD_REQUEST:
            raise PrefectApiError(status, path, content)
        return content

    def _prove(self) -> dict[str, str]:
        client = str(uuid.uuid4())
        status, content = self._ask("GET", f"/csrf-token?{urlencode({'client': client})}", self._headers)
        if status != HTTPStatus.OK:  # this server asks for no proof; or it refuses us, which what follows will say
            return {}
        return {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": _token(content)}

    def _ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=30)
        try:
            connection.request(method, f"{self._parts.path}{path}", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise OSError(f"what answers is no Prefect server: {content[:200].decode(errors='replace')}") from None


def _token(content: bytes) -> str:
    found = _parsed(content)
    if not isinstance(found, dict) or not isinstance(found.get("token"), str):
        raise OSError("what answers is no Prefect server: it gives no token")
    return str(found["token"])
