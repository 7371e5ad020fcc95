"""Archives to make, and a server to fetch from."""

import contextlib
import http.server
import io
import tarfile
import threading
import zipfile
from urllib.parse import unquote

import fsspec
import pytest

from gan.data.files.archive import tar_tree, zip_tree


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: the constructor would change it
            info.compress_type = method
            archive.writestr(info, data)
    return path


def tarred(path, files, **changes):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            archive.addfile(tar_info(name, len(data), **changes), io.BytesIO(data))
    return path


def tar_info(name, size=0, **changes):
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in changes.items():
        setattr(info, field, value)
    return info


KINDS = {"zip": (zipped, zip_tree), "tar": (tarred, tar_tree)}


@pytest.fixture(params=KINDS)
def kind(request):
    """A function that makes an archive of files, and one that lists it."""
    return KINDS[request.param]


@pytest.fixture(name="zipped", scope="session")
def _zipped():
    return zipped


@pytest.fixture(name="tarred", scope="session")
def _tarred():
    return tarred


@pytest.fixture(name="tar_info", scope="session")
def _tar_info():
    return tar_info


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `files`: path to (status, body, headers), but not those in `refused`; notes what was asked for and how."""

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        path = unquote(self.path)
        self.server.asked.append((self.command, path))
        self.server.authorized.append(self.headers.get("Authorization"))
        status, body, headers = self.server.files.get(path, (404, b"", {}))
        if with_body and path in self.server.refused:
            status = 403
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.asked, running.refused, running.authorized = {}, [], set(), []
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def another_server():
    with serving() as running:
        yield running


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    for path in files.ls("/", detail=False):
        files.rm(path, recursive=True)
