"""Attacks on what reads words of people and of servers: parameters, addresses, names, answers, pointers."""

import base64
import contextlib
import json
import os
import sys
from types import SimpleNamespace
from unittest.mock import patch

import yaml
from flask import Flask, make_response
from prefect.exceptions import ParameterTypeError, SignatureMismatchError
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from werkzeug.test import EnvironBuilder

from flows.configure import require_resolvable, resolve_config, resolve_data
from flows.evaluate import evaluate
from flows.generate import generate
from flows.ingest import ingest
from flows.retrain import retrain
from flows.services.discovery import is_our_prefect_toml, recorded_state
from flows.services.mlflow_auth import authenticate
from flows.services.prefect_api import PrefectApi
from flows.services.secret import home_secret
from fuzzing.records import MD5, as_bytes
from fuzzing.sources import place
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json
from gan.configuration.arguments import require_no_credentials
from gan.data.files.fetch import is_url
from gan.data.origin import FIELDS, Origin
from gan.data.sources.hub.source import parse_hub_name
from gan.data.sources.spec import SourceSpec
from gan.errors import GanflowError
from gan.text.credentials import bare_address, has_credentials
from gan.text.shown import inert, reason_of, shown
from tasks.dataset.catalogue import Version, _pointer_text
from tasks.dataset.session import tracked_md5
from tasks.ingest.allowed_sources import AllowedSources
from tasks.ingest.credentials import find_authorization
from tasks.reports import markdown
from tasks.reports.hugging_face import licence_words, source_words
from tasks.runtime.settings import Settings
from tasks.tracking.ingest_runs import ingest_runs
from tasks.tracking.own_configuration import kind_of

FLOWS = {"ingest": ingest, "retrain": retrain, "evaluate": evaluate, "generate": generate}
PARAMETERS = {
    "ingest": {
        "source": "https://host/set.zip",
        "preset": "digits",
        "overrides": ["data.resolution=16"],
        "labels": "x",
        "license": "CC-BY-4.0",
        "source_url": "https://host/set",
        "credit": "A. Person",
        "description": "cats and dogs",
    },
    "retrain": {"preset": "digits", "overrides": ["train.seed=3"], "workers": 2, "warm_start": "champion"},
    "evaluate": {"model": "champion", "overrides": [], "data": None, "network": None},
    "generate": {"model": "3", "name": "v3-001", "seed": 5, "preset": None, "overrides": ["release.num_images=4"]},
}


@target(
    lambda: {name: as_bytes(parameters) for name, parameters in PARAMETERS.items()},
    errors=(GanflowError, ParameterTypeError, SignatureMismatchError),
    edits=(EDITS, edited_json),
)
def flow_parameters(name, data, folder):
    """As a run of a deployment comes: checked by the server, by Prefect, and then by the flow before it reads."""
    try:
        parameters = json.loads(data)
    except (ValueError, RecursionError):  # which Prefect's server refuses
        return
    flow, limits = FLOWS[name], AllowedSources(Settings(ganflow_home=folder, ganflow_sources="https://host"))
    if not isinstance(parameters, dict) or validate(parameters, parameter_schema(flow).model_dump_for_openapi()):
        return
    given = flow.validate_parameters(parameters)
    if name == "ingest":
        resolve_data(given.get("preset", "digits"), given.get("overrides", ()))
        limits.source(given.get("source", "digits"), given.get("source_kind", "auto"))
    elif name == "evaluate":
        kind_of(given.get("model", "champion"))
        if given.get("data"):
            limits.path(given["data"])
    else:
        kind_of(given.get("model", "champion"))
    if name != "ingest":
        require_resolvable(given.get("preset"), given.get("overrides", ()))


@target(
    lambda: {
        "seed": b"train.seed=3",
        "widths": b"network.widths=[32, 16]",
        "map": b'data.class_map={"a": "b", "c": null}',
        "lr": b"optimizer.lr=1e-4",
        "text": b"data.background=#102030",
    }
)
def overrides(name, data, folder):
    text = _typed(data)
    resolve_config("digits", [text])
    resolve_data("digits", [text])
    require_resolvable(None, [text])


def _typed(data):
    """Bytes as Python takes them from a command line."""
    return data.decode("utf-8", "surrogateescape")


@target(
    lambda: {
        "folder": b"photos/cats",
        "home": b"~/photos",
        "url": b"https://host:8443/sets/a%20b.zip?version=2#part",
        "file": b"file:///srv/photos",
        "bucket": b"s3://bucket/photos/",
        "ipv6": b"http://[::1]:8080/a",
        "hub": b"org/name:config@revision",
        "local": b"hf://datasets/org/name",
        "database": b"postgresql://host/db",
    }
)
def addresses(name, data, folder):
    text, settings = _typed(data), Settings(ganflow_home=folder, ganflow_source_token=None)
    is_url(text)
    bare_address(text)
    has_credentials(text)
    checks = [lambda: require_no_credentials(text), lambda: parse_hub_name(text), lambda: kind_of(text)]
    checks += [lambda kind=kind: SourceSpec(text, kind).require() for kind in ("auto", "huggingface", text)]
    checks += [lambda: SourceSpec("digits", labels=text).require()]
    limits = AllowedSources(Settings(ganflow_home=folder, ganflow_sources="https://host:/srv"))
    checks += [lambda kind=kind: limits.source(text, kind) for kind in ("auto", "huggingface")]
    checks += [lambda: limits.path(text), lambda: limits.url(text)]
    checks += [lambda: AllowedSources(Settings(ganflow_home=folder, ganflow_sources=text))]
    checks += [lambda secret=secret: find_authorization(settings, text, secret) for secret in (None, "block")]
    with (
        patch.dict(os.environ, NETRC=str(folder / "netrc")),
        patch("tasks.ingest.credentials._block", return_value="x"),
    ):
        for check in checks:
            with contextlib.suppress(GanflowError):
                check()


@target(
    lambda: {
        "licence": b"MIT OR (GPL-2.0-only WITH Classpath-exception-2.0) AND LicenseRef-Acme.1",
        "source_url": b"https://host.example:8443/sets/a%20b?version=2#part",
        "credit": "Ä. Person & Sons, 2024".encode(),
        "description": b"cats, dogs",
    }
)
def origins(name, data, folder):
    checked = Origin(**{name: _typed(data)}).checked()
    assert checked.checked() == checked
    assert checked.over(Origin()).over(checked) == checked.over(Origin())
    for field in FIELDS:
        assert (getattr(checked, field) or "").isprintable()
    licence = checked.licence if name == "licence" else _typed(data)
    assert all(word.isprintable() for word in licence_words(licence, checked.source_url).values())
    assert all(word.isprintable() for word in source_words(_typed(data), checked.source_url))


@target(
    lambda: {
        "sentence": b"the class cat of https://user:password@host/x?token=abc is broken: see (below).",
        "header": b"Authorization: Bearer abcdef0123456789abcdef password='x y'",
        "markdown": b"# a | b\n- `code` [link](https://x) <b>$x$</b> &amp; 1. one *two* _three_",
        "escape": "\x1b[31mred\x1b[0m \u202eevil\u2066 \u200b é 猫 😀".encode(),
        "path": b"/srv/photos/cat \xff\xfe.png",
    },
    errors=(),
)
def shown_texts(name, data, folder):
    for errors in ("surrogateescape", "replace", "surrogatepass"):
        with contextlib.suppress(UnicodeDecodeError):
            _show(data.decode("utf-8", errors))


def _show(text):
    for made in (inert(text), shown(text), reason_of(text), str(GanflowError(text))):
        assert made.isprintable()
    for made in (markdown.name(text), markdown.cell(text), markdown.code(text), markdown.prose(text)):
        assert made.isprintable()
    front = markdown.front_matter({"name": text, "list": [text]})
    assert front.isascii()
    assert front.count("\n---") == 1
    assert yaml.safe_load(front.removeprefix("---\n").removesuffix("\n---"))["name"] == text


@target(
    lambda: {"answer": as_bytes([{"id": "x", "name": "run"}]), "token": as_bytes({"token": "t"})}, errors=(OSError,)
)
def answers_of_prefect(name, data, folder):
    """As a server of any make answers; there is no network."""
    proof = (200, as_bytes({"token": "t"}))
    asked = [(200, data), proof] if name == "token" else [proof, (200, data)]
    with patch.object(PrefectApi, "_ask", side_effect=asked):
        PrefectApi("http://127.0.0.1:1/api", "ganflow:x").post("/x", {})


POINTER = f"outs:\n- md5: {MD5}.dir\n  size: 123\n  nfiles: 3\n  hash: md5\n  path: data\n".encode()


@target(lambda: {"data.dvc": POINTER})
def pointers_of_dvc(name, data, folder):
    place(folder, {name: data})
    tracked_md5(folder / name)
    _pointer_text(Settings(ganflow_home=folder), Version(md5=MD5, current=True))


STATE = {"pid": 1, "prefect_api_url": "http://127.0.0.1:1/api", "prefect_ui_url": "http://127.0.0.1:1"}
STATE |= {"mlflow_url": "http://127.0.0.1:2", "work_pool": "ganflow", "prefect_auth": "ganflow:x"}


@target(
    lambda: {"up.json": as_bytes(STATE), "prefect.toml": b"# Written by `ganflow up` and removed when it stops.\n"},
    edits=None,
)
def traces_of_up(name, data, folder):
    settings = Settings(ganflow_home=folder)
    place(folder, {f".ganflow/{name}" if name == "up.json" else name: data})
    recorded_state(settings)
    is_our_prefect_toml(settings)


@target(lambda: {"secret": b"ganflow:" + b"abcdefghijklmnop" * 2 + b"\n"})
def secret_of_a_home(name, data, folder):
    place(folder, {f".ganflow/{name}": data})
    (folder / ".ganflow" / name).chmod(0o600)
    line = home_secret(Settings(ganflow_home=folder))
    assert line.isascii()
    assert line.isprintable()


@target(
    lambda: {
        "ingests.json": as_bytes(
            {
                "address": "A",
                "state": ["S"],
                "runs": [{"run_id": "r", "md5": MD5, "started": 1, "num_train": 2, "num_test": None, "source": "s"}],
            }
        )
    },
    edits=(EDITS, edited_json),
    errors=(),
)
def list_of_ingests(name, data, folder):
    """A copy that makes no sense is made again; MLflow is not asked here."""
    settings = Settings(ganflow_home=folder, mlflow_tracking_uri="A")
    place(folder, {f".ganflow/cache/{name}": data})
    with (
        patch("tasks.tracking.ingest_runs._database_state", return_value=["S"]),
        patch("tasks.tracking.ingest_runs._asked", return_value=[]),
    ):
        ingest_runs(settings)


def _headers(**headers):
    return "\n".join(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()).encode()


@target(
    lambda: {
        "own": _headers(Host="h:5000", Origin="http://h:5000", Sec_Fetch_Site="same-origin"),
        "link": _headers(Host="h:5000", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate"),
        "password": _headers(Host="h:5000", Authorization=f"Basic {base64.b64encode(b'ganflow:x').decode()}"),
        "other": _headers(Host="h:5000", Authorization="Bearer x"),
    },
    errors=(),
)
def headers_for_mlflow(name, data, folder):
    """As anyone's request comes to the MLflow server of `ganflow up`; its own users are not asked for."""
    environ = EnvironBuilder().get_environ()
    for line in data.split(b"\n"):
        header, _, value = line.decode("latin-1").partition(":")
        environ[f"HTTP_{header.upper().replace('-', '_')}"] = value.strip()
    users = SimpleNamespace(authenticate_request_basic_auth=lambda: make_response("no", 401))
    secret = patch.dict(os.environ, MLFLOW_AUTH_ADMIN_PASSWORD="another")
    with Flask("x").request_context(environ), secret, patch.dict(sys.modules, {"mlflow.server.auth": users}):
        answer = authenticate()
    assert answer.status_code in {401, 403}, "nobody has said the password"
