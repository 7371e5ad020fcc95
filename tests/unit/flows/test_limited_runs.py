"""Flows that Prefect started refuse what lies elsewhere before they open, list or fetch anything."""

import pytest

from flows.evaluate import evaluate
from flows.generate import generate
from flows.ingest import ingest
from gan.errors import GanflowError, InputError


@pytest.fixture(autouse=True)
def started_by_prefect(monkeypatch, tmp_path):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANFLOW_SOURCES", raising=False)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0b8ad4d2-1111-2222-3333-444455556666")
    monkeypatch.chdir(tmp_path / "home")


@pytest.mark.parametrize(
    "parameters",
    [
        {"source": "/etc"},
        {"source": "../nothing-is-there"},  # nor is told whether there is
        {"source": "http://127.0.0.1:9/x.zip"},
        {"source": "org/name", "source_kind": "huggingface"},
        {"source": "digits", "labels": "/etc/passwd"},
    ],
)
def test_ingest(parameters):
    with pytest.raises(InputError, match="may not read"):
        ingest.fn(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [{"data": "/etc"}, {"network": "/etc/passwd"}, {"model": "/etc"}, {"model": "../x"}, {"model": "~root"}],
)
def test_evaluate(parameters):
    with pytest.raises(InputError, match="may not read"):
        evaluate.fn(**parameters)


@pytest.mark.parametrize("balance", ["/etc/passwd", "../want.csv", "~root/want.csv"])
def test_generate(balance):
    with pytest.raises(InputError, match="may not read"):
        generate.fn(balance=balance)


@pytest.mark.parametrize(("started", "parameter"), [(ingest, "source"), (evaluate, "model")])
def test_who_types_a_command_may_read_anything(monkeypatch, tmp_path, started, parameter):
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID")
    with pytest.raises(GanflowError) as caught:
        started.fn(**{parameter: str(tmp_path / "none")})
    assert "may not read" not in str(caught.value)
