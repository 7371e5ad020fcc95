"""The whole of `register` behind the measuring: real checkpoints, registry (SQLite) and programs, scores as given."""

import logging

import pytest
import torch

import flows.register as flow
import tasks.register.step as steps
from gan.configuration.config import Config, DataConfig, NetworkConfig
from gan.configuration.provenance import Configuration
from gan.errors import CheckpointError
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from gan.training.header import Header
from tasks.champion.changing import champion
from tasks.evaluate.record import Measured
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, client, run
from tasks.tracking.version_tags import version_tags
from tasks.tracking.versions import find_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
NETWORK = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
CONFIG = Config(data=DataConfig(resolution=8), network=NETWORK)
MD5 = "0" * 32
FACTS = {"reference_split": "train", "resize": "tf1", "network": "n", "network_sha256": "s", "precision": "fp32"}
PROTOCOL = Protocol.model_validate(
    FACTS | {"dataset_md5": MD5, "seed": 0, "num_generated": 1000, "num_reference": 1000, "num_holdout": 500}
)


def of(value, half=0.001):
    return Metric(value=value, low=value - half, high=value + half)


def scores(kid=0.01, coverage=0.8, per_class=(0.01, 0.01), variety=(0.9, 0.9)):
    return Evaluation(
        protocol=PROTOCOL,
        metrics={"kid1k": of(kid), "coverage1k": of(coverage, 0.05), "copies1k": of(0.0)},
        baseline={"copies500": Metric(value=0.0)},
        per_class={name: of(value) for name, value in zip("ab", per_class, strict=True)},
        variety={name: Metric(value=value) for name, value in zip("ab", variety, strict=True)},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def register(home, tmp_path, monkeypatch):
    """Register a generator of this seed with these scores, against the champion's; returns what became of it."""
    settings = Settings(ganflow_home=home, mlflow_tracking_uri=None)
    monkeypatch.setenv("GANFLOW_HOME", str(home))
    monkeypatch.setattr(flow, "_asked", lambda question: question())
    monkeypatch.setattr(flow, "load_version", lambda *_: None)
    monkeypatch.setattr(steps, "get_run_logger", lambda: logging.getLogger(__name__))
    monkeypatch.setattr(steps.artifacts, "decision", lambda *_: None)  # which would want a Prefect server
    for name in ("register_generator", "look_at_program", "promote_or_keep"):
        monkeypatch.setattr(flow, name, getattr(steps, name).fn)

    def register(seed, ours, theirs=None, weights=1.0):
        torch.manual_seed(seed)
        state = build_generator(NETWORK, channels=1, num_classes=2).state_dict()
        folder = tmp_path / "checkpoint"
        header = Header(CONFIG.model_dump(mode="json"), f"h{seed}", MD5, 1, 2, ("a", "b"))
        folder.mkdir()
        save_checkpoint(folder, header, {"G_ema": {name: value * weights for name, value in state.items()}})
        tags = {"dataset_md5": MD5, "preset": "debug"}
        with run(settings, TRAINING, "run", tags) as log:
            log.client.log_artifacts(log.run_id, str(folder), "checkpoint")

        def evaluate(subject, configuration, dataset_md5):
            given = ours if subject.version is None else theirs
            return Measured(evaluation=given, report="gone.html", evaluation_run="0" * 32)

        monkeypatch.setattr(flow, "evaluate_generator", evaluate)
        configuration = Configuration(origin="preset", name="debug", config=CONFIG)
        return settings, flow._register(settings, log.run_id, configuration)

    return register


def test_a_candidate_of_use_becomes_the_first_champion_and_its_reasons_are_kept(register):
    settings, result = register(0, scores())
    assert result.alias == "champion", result.verdict.reason
    assert [reason.check for reason in result.verdict.reasons] == ["floor", "variety", "copies", "program"]
    tags = version_tags(settings, champion(settings))
    assert tags["gate.floor"].startswith("passed: there is no champion yet, so the candidate becomes it")
    assert tags["gate.program"].startswith("passed: loaded without ganflow")
    assert (tags["resolution"], tags["channels"]) == ("8", "1")
    page = client(settings).download_artifacts(champion(settings).run_id, "decision.html")
    assert "<h1>Version" in open(page, encoding="utf-8").read()  # noqa: SIM115


@pytest.mark.parametrize(
    ("ours", "check"),
    [
        (scores(kid=0.0099), "kid1k"),
        (scores(kid=0.001, variety=(0.9, 0.1)), "variety"),
        (scores(kid=0.001), "program"),
    ],
    ids=["better by chance", "a collapsed class", "a program that draws something else"],
)
def test_a_candidate_that_is_refused_leaves_the_champion_as_it_is(register, monkeypatch, ours, check):
    # what is exported and loaded is another test's business
    look = flow.Reason(check="program", passed=check != "program", said="as it is")
    monkeypatch.setattr(steps, "same_to_others", lambda *_: look)
    settings, result = register(1, ours, scores())
    assert (result.alias, result.verdict.promote) == ("challenger", False)
    assert [reason.check for reason in result.verdict.reasons if not reason.passed] == [check]
    assert champion(settings).version == 1
    assert find_model(settings, "challenger").version == result.version
    assert version_tags(settings, find_model(settings, "challenger"))[f"gate.{check}"].startswith("refused: ")


@pytest.mark.slow
def test_a_version_whose_program_draws_something_else_stays_challenger(register, monkeypatch):
    torch.manual_seed(9)
    other = SeededGenerator(build_generator(NETWORK, channels=1, num_classes=2))
    monkeypatch.setattr(steps, "register_version", _registering(other))
    settings, result = register(2, scores(kid=0.001), scores())
    assert [reason.check for reason in result.verdict.reasons if not reason.passed] == ["program"]
    assert "grey levels from G_ema's at most" in result.verdict.reason
    assert champion(settings).version == 1


def _registering(generator):
    """Register another generator than the one that is given."""
    as_it_is = steps.register_version
    return lambda settings, log, _, **options: as_it_is(settings, log, generator, **options)


def test_weights_that_are_no_numbers_become_no_version(register):
    with pytest.raises(CheckpointError, match="weights that are no finite numbers"):
        register(3, scores(kid=0.001), scores(), weights=float("nan"))
    assert champion(Settings()).version == 1
