"""What a flow run that Prefect started may read: its parameters are whoever's who reaches Prefect's API.

Below the home everything, elsewhere what `GANFLOW_SOURCES` lists. Whoever types a command may read what the person may.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gan.data.files.fetch import is_url
from gan.errors import InputError
from gan.text.credentials import without_secrets
from tasks.runtime.settings import Settings

HUB = "https://huggingface.co/datasets"
_FILE = "file://"
_PORTS = {"http": 80, "https": 443}
# The separator of paths also stands in URLs: an entry begins with a slash, a tilde or a scheme.
_BETWEEN = re.compile(re.escape(os.pathsep) + r"(?=/(?!/)|~|[A-Za-z][A-Za-z0-9+.-]*://|$)")
# Readers of URLs disagree about these; fsspec takes `a::b` for two of them.
_UNCLEAR = re.compile(r"[\x00-\x20\x7f\\]|::")


@dataclass(frozen=True)
class _Url:
    scheme: str
    host: str
    port: int | None
    path: tuple[str, ...]

    def is_below(self, other: "_Url") -> bool:
        same_server = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same_server and self.path[: len(other.path)] == other.path


def limits_of_this_run(settings: Settings) -> "AllowedSources | None":
    """Return what the current flow run may read; None where a person typed the command, who may read anything.

    Raises:
        InputError: `GANFLOW_SOURCES` is malformed.
    """
    from prefect.runtime import deployment

    # A worker names the run in the environment, also one of no deployment.
    started_by_prefect = "PREFECT__FLOW_RUN_ID" in os.environ or deployment.id is not None
    return AllowedSources(settings) if started_by_prefect else None


class AllowedSources:
    """The folders and URL prefixes that such a run may read.

    Raises:
        InputError: an entry of `GANFLOW_SOURCES` is neither.
    """

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._folders, self._prefixes = [settings.home.resolve()], []
        for entry in filter(None, _BETWEEN.split(settings.ganflow_sources or "")):
            try:
                if is_url(entry) and not entry.startswith(_FILE):
                    self._prefixes.append(_parse(entry.rstrip("/")))
                else:
                    self._folders.append(_resolve(entry.removeprefix(_FILE), must_be_absolute=True))
            except ValueError as error:
                raise InputError(
                    f"GANFLOW_SOURCES lists {without_secrets(entry)!r}, which cannot be used ({error}): list absolute "
                    f"folders and URL prefixes with {os.pathsep!r} between them"
                ) from None

    def path(self, path: str) -> str:
        """Return the path that links lead to.

        Raises:
            InputError: it lies elsewhere.
        """
        try:
            resolved = _resolve(path)
        except ValueError as error:
            raise self._refusal(path, f" ({error})") from None
        if not any(resolved.is_relative_to(folder) for folder in self._folders):
            raise self._refusal(path)
        return str(resolved)

    def url(self, url: str) -> str:
        """Return the URL, or the path that a `file://` one names.

        Raises:
            InputError: it begins with no prefix that is listed, or can be read in more than one way.
        """
        if url.startswith(_FILE):
            return self.path(url.removeprefix(_FILE))
        try:
            parsed = _parse(url)
        except ValueError as error:
            raise self._refusal(url, f" ({error})") from None
        if not any(parsed.is_below(prefix) for prefix in self._prefixes):
            raise self._refusal(url)
        return url

    def source(self, source: str, kind: str) -> str:
        """Return what to ingest: a path, a URL or, of the kind `huggingface`, a dataset's name.

        Raises:
            InputError: it is not allowed.
        """
        if "digits" in {source, kind}:
            return source
        if kind == "huggingface":
            from gan.data.sources.hub.source import parse_hub_name

            hub = parse_hub_name(source)
            if os.path.isabs(hub.name):  # a local folder is a name, too
                return self.path(hub.name) + (f":{hub.config}" if hub.config else "")
            self.url(f"{HUB}/{hub.name}")
            return source
        return self.url(source) if is_url(source) else self.path(source)

    def _refusal(self, place: str, why: str = "") -> InputError:
        return InputError(
            f"a run that Prefect starts may not read {without_secrets(place)[:200]!r}{why}: it may read what lies "
            f"below {self._home} and what GANFLOW_SOURCES lists, which `ganflow up` takes from its environment"
        )


def _resolve(path: str, *, must_be_absolute: bool = False) -> Path:
    try:
        given = Path(path).expanduser()
        if must_be_absolute and not given.is_absolute():
            raise ValueError("it is not absolute")
        return given.resolve()
    except (OSError, RuntimeError) as error:  # links that lead to themselves, a user who is not there
        raise ValueError(str(error)) from None


def _parse(url: str) -> _Url:
    if _UNCLEAR.search(url):
        raise ValueError("it has blanks, backslashes or a chain of addresses")
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError("it has no server, or a user")
    scheme, names = parts.scheme.lower(), tuple(parts.path.split("/")[1:])
    for name in names:
        plain = unquote(name)
        if plain.split(";")[0] in {".", ".."} or "/" in plain or "\\" in plain:
            raise ValueError("its path has dots or hidden slashes")
    port = _PORTS.get(scheme) if parts.port is None else parts.port
    return _Url(scheme, parts.hostname.lower(), port, names)
