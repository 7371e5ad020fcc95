"""What a URL names, brought to this machine through fsspec, file by file, so that a killed run goes on where it was."""

import contextlib
import errno
import hashlib
import http
import json
import os
import posixpath
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gan.data.files.authorization import only_at
from gan.data.files.unpack import require_space
from gan.errors import DatasetError, GanflowError, ServiceError
from gan.text.credentials import bare_address
from gan.text.shown import reason_of

_BATCH = 256
_LISTED = ".fetched.json"  # what each file was at its source; hidden, so no image of the collection
_VERSIONS = (
    *("ETag", "etag", "Last-Modified", "LastModified", "last_modified", "mtime"),
    *("Content-MD5", "Digest", "checksum", "md5", "generation"),
)
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_TRANSPORTS = {"aiohttp", "urllib3"}
_LOCAL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_url(spec: str) -> bool:
    """Return whether a source is named by a URL."""
    return "://" in spec


def fetch(
    url: str, scratch: Path, on_progress: Callable[[int, int], None] | None = None, authorization: str | None = None
) -> Path:
    """Copy a file or folder from a URL.

    Args:
        url: of any protocol that fsspec knows: `https://host/set.zip`, `s3://bucket/folder`. What a protocol needs,
            such as keys, comes from its usual environment variables.
        scratch: folder for the copy; files that lie in it already are fetched again only if they changed.
        on_progress: called with (bytes done, bytes in all); the latter is 0 where the server does not say.
        authorization: the header of that name, for the URL's own web server.

    Returns:
        The local file or folder.

    Raises:
        DatasetError: the protocol is unknown, nobody knows the server, or there is nothing.
        ServiceError: the server does not answer, or breaks off.
        ResourcesError: the disk is too full for it.
    """
    target = scratch / hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    with _as_sentences(url):
        files, root = _open(url, authorization)
        found = _list(files, root)
        single = len(found) == 1 and found[0]["name"].rstrip("/") == root.rstrip("/")
        if not single:  # the dataset is called after the folder
            target /= posixpath.basename((urlsplit(root).path if is_url(root) else root).rstrip("/")) or "images"
        target.mkdir(parents=True, exist_ok=True)
        paths = {info["name"]: _below(target, info["name"], root) for info in found}
        _forget_others(target, set(paths.values()))
        _fetch_all(files, found, paths, target, on_progress or (lambda done, total: None), bare_address(url))
    return paths[found[0]["name"]] if single else target


def _open(url: str, authorization: str | None) -> tuple[Any, str]:
    import fsspec

    options: dict[str, Any] = {}
    if urlsplit(url).scheme in {"http", "https"}:
        import aiohttp

        # fsspec gives up after five minutes, whatever has come by then; a server that falls silent is given up sooner.
        options = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=60)}}
        if authorization is not None:
            options["client_kwargs"]["middlewares"] = (only_at(url, authorization),)
    opened: tuple[Any, str] = fsspec.core.url_to_fs(url, **options)
    return opened


def _list(files: Any, root: str) -> list[dict[str, Any]]:
    info = files.info(root)
    if info["type"] == "file":
        return [info]
    found = files.find(root, detail=True).values()
    listed = sorted((each for each in found if each["type"] == "file"), key=lambda each: str(each["name"]))
    if not listed:
        raise FileNotFoundError("the folder is empty")
    return listed


def _below(target: Path, name: str, root: str) -> Path:
    """Return where a file goes; a listing may hold any name, and none may lead out of the folder."""
    relative = posixpath.relpath(name, root)
    if relative == ".":
        relative = posixpath.basename(urlsplit(name).path) or "file"
    parts = relative.split("/")
    if ".." in parts or posixpath.isabs(relative) or _LISTED in parts or "\0" in relative:
        raise ValueError(f"the listing names {relative}, which lies outside")
    return target / relative


def _forget_others(target: Path, wanted: set[Path]) -> None:
    for path in [path for path in target.rglob("*") if path.is_file()]:
        if path not in wanted and path.name != _LISTED:
            path.unlink()


def _fetch_all(
    files: Any,
    found: list[dict[str, Any]],
    paths: dict[str, Path],
    target: Path,
    on_progress: Callable[[int, int], None],
    shown: str,
) -> None:
    listed = target / _LISTED
    have: dict[str, str] = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
    state = {each["name"]: _state(each) for each in found}
    missing = [
        each for each in found if have.get(each["name"]) != state[each["name"]] or not paths[each["name"]].exists()
    ]
    total = sum(each.get("size") or 0 for each in found)
    todo = sum(each.get("size") or 0 for each in missing)
    require_space(target, shown, todo)
    done = total - todo
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        names = [each["name"] for each in batch]
        partial = [paths[name].with_name(f"{paths[name].name}.partial") for name in names]
        for path in partial:
            path.parent.mkdir(parents=True, exist_ok=True)
        if len(batch) == 1:
            files.get_file(names[0], str(partial[0]), callback=_watch(on_progress, done, total, target, shown))
        else:  # many at once, where the protocol can
            files.get(names, [str(path) for path in partial])
        for name, path in zip(names, partial, strict=True):
            os.replace(path, paths[name])
        done += sum(each.get("size") or 0 for each in batch)
        have |= {name: state[name] for name in names}
        draft = listed.with_name(f"{_LISTED}.partial")
        draft.write_text(json.dumps(have), "utf-8")
        os.replace(draft, listed)
        on_progress(done, total)


def _state(info: dict[str, Any]) -> str:
    """Return a text that changes when the file does; always, where nothing tells."""
    versions = [str(info[key]) for key in _VERSIONS if info.get(key)]
    return repr([info.get("size"), versions or secrets.token_hex(8)])


def _watch(on_progress: Callable[[int, int], None], before: int, total: int, target: Path, shown: str) -> Any:
    from fsspec.callbacks import Callback

    class Watch(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            require_space(target, shown)  # some servers do not say how much will come
            on_progress(before + self.value, total)

    return Watch()


@contextlib.contextmanager
def _as_sentences(url: str) -> Iterator[None]:
    shown = bare_address(url)
    try:
        yield
    except GanflowError:
        raise
    except ImportError as error:
        raise DatasetError(f"{shown} needs a package that is not installed ({_why(error)})") from None
    except Exception as error:  # each protocol has errors of its own
        if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
            raise
        why = _why(error)
        raise (ServiceError if _is_away(error) else DatasetError)(
            f"{shown} cannot be fetched ({why}): correct the address, or see that its server can be reached and that "
            "the keys for it are in the environment"
        ) from None


def _behind(error: Exception) -> Exception:
    # fsspec takes whatever goes wrong with a URL for a file that is not there.
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _is_away(error: Exception) -> bool:
    """Say whether the server may answer later; a host that nobody knows is a wrong address."""
    error = _behind(error)
    if isinstance(error.__cause__, socket.gaierror):
        return error.__cause__.errno == socket.EAI_AGAIN
    if status := getattr(error, "status", None):
        return status in _BUSY
    package = type(error).__module__.partition(".")[0]
    broken_off = package in _TRANSPORTS and not isinstance(error, ValueError)  # which is a malformed address
    return broken_off or isinstance(error, ConnectionError | TimeoutError)


def _why(error: Exception) -> str:
    error = _behind(error)
    status = getattr(error, "status", None)
    if status and status != http.HTTPStatus.NOT_FOUND:
        return f"the server answers {status}"
    if status or isinstance(error, FileNotFoundError):
        return "there is nothing"
    return reason_of(error)
