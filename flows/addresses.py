"""Hosts and ports of the servers that `ganflow up` starts."""

import socket

from gan.errors import InputError

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound to
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def local_name(host: str) -> str:
    """Return how this machine itself reaches a server bound to `host`, as it stands in a URL."""
    if host in WILDCARDS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def public_name(host: str) -> str:
    """Return how a reader's browser reaches a server bound to `host`, as it stands in a URL."""
    return socket.gethostname() if host in WILDCARDS else local_name(host)


def mlflow_access(host: str, port: int) -> list[str]:
    """Return the options of `mlflow server` for readers elsewhere: without them it answers to localhost alone."""
    if host in LOOPBACK:
        return []
    names = [public_name(host)]
    if host in WILDCARDS:
        names += ["10.*", "192.168.*", *(f"172.{number}.*" for number in range(16, 32))]
    hosts = [*(f"{name}:*" for name in LOOPBACK[:2]), *(f"{name}:{port}" for name in names)]
    origins = [f"http://{name}:{port}" for name in names]
    return ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", ",".join(origins)]


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
