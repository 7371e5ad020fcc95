"""What flows take: deployments a preset's name and overrides, which a page can show, flows of flows a configuration."""

import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from flows.configure import resolve_config
from flows.evaluate import evaluate_configured
from flows.generate import generate_configured
from flows.ingest import ingest_configured
from flows.pipeline import pipeline
from flows.register import register
from flows.retrain import retrain_configured
from flows.train import train
from flows.tune import tune

ROOT = Path(__file__).parents[3]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: f"{one['entrypoint']}/{one['name']}")
def test_a_deployment_has_a_flow_with_its_parameters(deployment):
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(import_module(module), name)
    assert flow.name == name
    known = inspect.signature(flow.fn).parameters
    assert {"preset", "overrides"} <= set(known) or name == "rollback", "it has nothing to configure"
    assert "configuration" not in known, "its form has a field for each key"
    assert set(deployment.get("parameters") or {}) <= set(known)


@pytest.mark.parametrize("verb", ["evaluate", "generate"])
def test_a_model_in_use_is_asked_under_its_own_configuration(verb):
    (deployment,) = (one for one in DEPLOYMENTS if one["entrypoint"].endswith(f".{verb}"))
    assert "preset" not in (deployment.get("parameters") or {})
    flow = getattr(import_module(f"flows.{verb}"), verb)
    assert inspect.signature(flow.fn).parameters["preset"].default is None


CONFIGURATION = resolve_config("debug", ["train.seed=7", 'data.class_map={"é": null}'])
HANDED = [
    (ingest_configured, {"source": "digits", "configuration": CONFIGURATION.data}),
    (pipeline, {"source": "digits", "configuration": CONFIGURATION}),
    (train, {"configuration": CONFIGURATION}),
    (tune, {"configuration": CONFIGURATION}),
    (register, {"run_id": "abc", "configuration": CONFIGURATION}),
    (retrain_configured, {"configuration": CONFIGURATION}),
    (evaluate_configured, {"model": "1", "configuration": CONFIGURATION}),
    (generate_configured, {"model": "1", "configuration": CONFIGURATION}),
]


@pytest.mark.parametrize(("flow", "parameters"), HANDED, ids=lambda value: getattr(value, "name", None))
def test_a_page_shows_what_a_flow_was_handed_and_it_comes_back_the_same(flow, parameters):
    shown = json.loads(json.dumps(flow.serialize_parameters(parameters)))
    assert list(shown["configuration"]) == ["origin", "name", "changes", "config"]
    assert shown["configuration"]["name"] == "debug"
    assert shown["configuration"]["changes"] == list(CONFIGURATION.changes)
    assert flow.validate_parameters(shown)["configuration"] == parameters["configuration"]
