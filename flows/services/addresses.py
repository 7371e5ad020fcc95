"""Hosts and ports of the servers that `ganflow up` starts, and the names by which they answer."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator

import psutil

from gan.errors import InputError

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound to
_FAMILIES = {"0.0.0.0": (socket.AF_INET,), "::": (socket.AF_INET, socket.AF_INET6)}  # noqa: S104


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is out of reach of other machines; of a name that needs a lookup, no."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def local_name(host: str) -> str:
    """Return how this machine itself reaches a server bound to `host`, as it stands in a URL."""
    if host in WILDCARDS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def public_name(host: str) -> str:
    """Return how a reader's browser reaches a server bound to `host`, as it stands in a URL."""
    return socket.gethostname() if host in WILDCARDS else local_name(host)


def origins(host: str, port: int) -> list[str]:
    """Return every address of a server bound to `host` as a browser names it, `http://name:port`.

    Names are exact: a pattern such as 10.* would also fit the name 10.evil.example, which anyone may point at us.
    """
    behind = "" if port == 80 else f":{port}"  # which browsers leave out
    return [f"http://{name}{behind}" for name in dict.fromkeys(_names(host))]


def _names(host: str) -> Iterator[str]:
    yield local_name(host)
    if host in WILDCARDS or is_loopback(host):
        yield "localhost"
    if host in WILDCARDS:
        yield socket.gethostname()
        for addresses in psutil.net_if_addrs().values():
            for address in addresses:
                # A link-local address needs the reader's own interface behind it, and browsers take none.
                if address.family in _FAMILIES[host] and not address.address.startswith("fe80"):
                    yield local_name(address.address)


def mlflow_access(host: str, port: int) -> list[str]:
    """Return the options of `mlflow server` that make it answer by its own names alone.

    Its own default lets any name in that begins with `10.`, `192.168.` and the like.
    """
    own = origins(host, port)
    hosts = [origin.removeprefix("http://") for origin in own]
    return ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", ",".join(own)]


def require_free_port(host: str, port: int, option: str) -> None:
    """Check that a server can listen there.

    Raises:
        InputError: the port is taken or the host is not an address of this machine; it names `option`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A connection closed a moment ago does not count: servers set this option too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"port {port} of {host} cannot be used ({getattr(error, 'strerror', None) or error}): "
                f"choose another with {option}, or another --host"
            ) from None
