"""An object store of this machine whose network can be cut, and that keeps what it has meanwhile."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

from drilling.head import free_ports

BUCKET = "bucket"


class Proxy:
    """Hands every connection on to a port of this machine, until it is cut.

    Args:
        port: of the store.
    """

    def __init__(self, port: int) -> None:
        self._store = port
        (self.port,) = free_ports(1)
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def join(self) -> None:
        """Let connections in."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Close all connections, and let none in."""
        if self._listener is not None:
            for each in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        self._listener, self._open = None, []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                store = socket.create_connection(("127.0.0.1", self._store))
            except OSError:
                return
            self._open += [client, store]
            for source, sink in ((client, store), (store, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Store:
    """A store with an empty bucket, behind a proxy.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.proxy = Proxy(self.port)
        with (folder / "store.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log
            )
        self._make_bucket()
        self.proxy.join()
        self.settings = {
            "GANFLOW_STORAGE": f"s3://{BUCKET}/runs",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _make_bucket(self) -> None:
        while True:
            try:
                with urlopen(Request(f"http://127.0.0.1:{self.port}/{BUCKET}", method="PUT"), timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None
                time.sleep(0.2)

    def holds(self, text: str) -> int:
        """How often a text stands in the list of its objects."""
        with urlopen(f"http://127.0.0.1:{self.port}/{BUCKET}?list-type=2", timeout=60) as listing:
            return listing.read().decode().count(text)

    def go(self, how: str) -> None:
        """`refuses` connections, or is `silent` on them."""
        if how == "refuses":
            self.proxy.cut()
        else:
            self.process.send_signal(signal.SIGSTOP)

    def come_back(self, how: str) -> None:
        if how == "refuses":
            self.proxy.join()
        else:
            self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.proxy.cut()
        self.process.kill()
        self.process.wait()
