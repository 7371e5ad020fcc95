"""Pruning on a real MLflow (SQLite) with real artifacts: what is said is what is freed, and what is needed stays."""

import json
import time

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from gan.training.checkpoint import HASHES
from tasks.champion.changing import Wish, promote_whatever
from tasks.prune import on_disk
from tasks.prune.pruning import Pruning
from tasks.prune.records import freed_bytes
from tasks.prune.stored import Storage
from tasks.runtime.settings import Settings
from tasks.tracking import removal
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING, client, create_run, run
from tasks.tracking.past import past_run
from tasks.tracking.registry import load_program, register_version
from tasks.tracking.versions import find_model

pytestmark = pytest.mark.integration
DAYS = 86400
MD5, OTHER = "0" * 32, "1" * 32


def small_generator(seed):
    torch.manual_seed(seed)
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    return SeededGenerator(build_generator(network, channels=3, num_classes=3))


class Home:
    """A home as it looks 40 days later; all but `young` is old by then.

    `champion` is a registered run that began with `first`; `pets` a version of another model; `released` has a release
    and no version. `lost`, `cut` and `model` are needed by nothing; `model` has a logged model that is no version.
    """

    def __init__(self, path, small=False):
        self.settings = Settings(ganflow_home=path, mlflow_tracking_uri=None)
        self.later = time.time() + 40 * DAYS
        self.first = self.train("first")
        began = json.dumps({"version": 9, "run_id": self.first, "dataset_md5": MD5})
        self.champion = self.train("champion", warm_start=began)
        self.version = self.register(self.champion, 1, self.settings)
        promote_whatever(self.settings, self.version.version, Wish("for the test", "for the test"))
        self.model, self.young = self.train("model"), self.train("young", status="KILLED", days=1)
        self.log_model(self.model)
        self.kept = [self.champion, self.first]
        if not small:
            self.pets, self.released = self.train("pets"), self.train("released")
            self.kept += [self.pets, self.released]
            self.register(self.pets, 2, self.settings.model_copy(update={"ganflow_model": "pets"}))
            with run(self.settings, RELEASES, "v1", {"release": "v1", "training_run": self.released}):
                pass
            self.lost, self.cut = self.train("lost"), self.train("cut", status="KILLED")
        self.decided, self.forgotten = self.evaluate(self.champion), self.evaluate(self.model)
        client(self.settings).set_tag(self.champion, "evaluation_run", self.decided)
        self.fill_disk()

    def log_model(self, run_id):
        """A logged model that is no version, as a kill in the middle of a registration leaves it."""
        opened = client(self.settings)
        experiment = opened.get_experiment_by_name(TRAINING).experiment_id
        made = opened.create_logged_model(experiment, name="generator", source_run_id=run_id)
        opened.log_model_artifact(made.model_id, self.settings.home / "mlflow.db")

    def train(self, name, status="FINISHED", days=None, **tags):
        log = create_run(self.settings, TRAINING, name, {"dataset_md5": MD5, "training_hash": "h", **tags})
        log.text(f"{name} " * 50, f"checkpoint/{HASHES}")
        ended = None if days is None else int((self.later - days * DAYS) * 1000)
        log.client.set_terminated(log.run_id, status, ended)
        folder = self.settings.state_dir / "runs" / log.run_id / "checkpoint_1"
        folder.mkdir(parents=True)
        (folder / "tensors.pt").write_bytes(bytes(1000 + len(name)))
        return log.run_id

    def register(self, run_id, seed, settings):
        log = removal_log(settings, run_id)
        facts = {"dataset_md5": MD5, "class_names": json.dumps(["a", "b", "c"])}
        return register_version(
            settings, log, small_generator(seed), checkpoint=str(seed), config={}, tags=facts, card="# card"
        )

    def evaluate(self, run_id):
        with run(self.settings, EVALUATIONS, "run", {"dataset_md5": MD5, "training run": run_id}) as log:
            log.text("scores " * 30, "report.html")
        return log.run_id

    def fill_disk(self):
        state = self.settings.state_dir
        for path, size in {
            "evaluations/version-1-01234567/report.html": 30,
            "evaluations/version-7-01234567/report.html": 31,
            "cache/resident/" + OTHER + "/record.json": 32,
            "cache/resident/" + OTHER + "/train-images.npy": 3200,
            "cache/features/" + OTHER + "/test-10/features.npy": 33,
            "runs/datasets/" + OTHER + "/dataset.json": 34,
            "runs/datasets/" + OTHER + "/files.json": 35,
            "logs/prefect.log": 36,
            "cache/inception.pt": 37,
            "prefect/storage/older": 38,
            "prefect/prefect.db": 39,
        }.items():
            (state / path).parent.mkdir(parents=True, exist_ok=True)
            (state / path).write_bytes(bytes(size))
        for name, evaluation in (("champion", self.decided), ("model", self.forgotten)):
            result = {"result": json.dumps({"evaluation_run": evaluation})}
            (state / "prefect/storage" / f"evaluation-{name}").write_text(json.dumps(result))

    def pruning(self, **given):
        return Pruning(self.settings, **{"older_than": 30, "now": self.later} | given)

    def bytes(self):
        top = self.settings.home
        files = (path for place in ("mlartifacts", ".ganflow") for path in (top / place).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    def require_needed(self):
        """What must be there whenever a prune was cut."""
        for run_id in (*self.kept, self.young):
            assert past_run(self.settings, run_id)
            assert client(self.settings).list_artifacts(run_id, "checkpoint")
        assert past_run(self.settings, self.decided)
        assert find_model(self.settings, "champion") == self.version
        assert (self.settings.state_dir / "prefect/storage/evaluation-champion").exists()
        # A result never names an evaluation that is gone.
        kept = {each for found in on_disk.results(self.settings) for each in found.names}
        there = {each.run_id for each in removal.Removal(self.settings).runs(EVALUATIONS)}
        assert kept <= there


def removal_log(settings, run_id):
    from tasks.tracking.client import RunLog

    return RunLog(client(settings), run_id)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def names(items):
    return {(item.kind, item.name) for item in items}


def test_what_is_said_is_freed_and_what_is_needed_stays(home):
    plan = home.pruning().plan()
    runs = {home.lost, home.model, home.cut}
    kept = {*home.kept}
    assert names(plan.items) == {
        *(("training run", each) for each in runs),
        *(("checkpoints", each) for each in runs | kept),
        ("evaluation", home.forgotten),
        ("result", "evaluation-model"),
        ("result", "older"),
        ("page", "version-7-01234567"),
        ("decoded dataset", OTHER),
        ("features", OTHER),
        ("published dataset", OTHER),
        ("log", "prefect.log"),
    }
    why = {(each.kind, each.name): each.why for each in plan.stays}
    assert why["training run", home.champion] == f"version 1 of {home.settings.model}"
    assert why["training run", home.pets] == "version 1 of pets"
    assert why["training run", home.first] == f"run {home.champion} began with it"
    assert why["training run", home.released] == "release v1 was drawn from it"
    assert why["checkpoints", home.young] == "its run may go on: it ended less than 30 days ago"
    assert why["evaluation", home.decided] == f"run {home.champion} was judged by it"
    assert why["result", "evaluation-champion"] == "it names an evaluation that stays"
    before = home.bytes()
    assert home.pruning().plan() == plan
    assert home.bytes() == before
    said = []
    result = home.pruning().carry_out(plan, said.append)
    assert not result.skipped
    assert names(result.removed) == names(plan.items)
    assert before - home.bytes() == freed_bytes(plan.items) > 10_000
    assert said
    home.require_needed()
    for run_id in runs | {home.forgotten}:
        assert past_run(home.settings, run_id) is None
        assert not list((home.settings.home / "mlartifacts").rglob(f"{run_id}*"))
    experiment = client(home.settings).get_experiment_by_name(TRAINING)
    left = client(home.settings).search_logged_models([experiment.experiment_id])
    assert {model.source_run_id for model in left} == {home.champion, home.pets}
    images = load_program(home.settings, home.version)(torch.tensor([[0, -1]])).numpy()
    assert np.array_equal(images, small_generator(1)(torch.tensor([[0, -1]])).numpy())
    assert home.pruning().plan().items == ()


class Killed(BaseException):
    pass


def test_a_kill_before_any_deletion_leaves_nothing_half_and_the_next_prune_ends_it(tmp_path, monkeypatch):
    home = Home(tmp_path / "home", small=True)
    known, kinds = set(), set()

    def dying(owner, name):
        deletes = getattr(owner, name)

        def die(first, *given):
            call = (name, *given) if owner is not removal and owner is not on_disk else (name, str(first))
            if call not in known:  # each deletion is the next one at which a prune is killed, once
                known.add(call)
                kinds.add(name)
                raise Killed
            return deletes(first, *given)

        monkeypatch.setattr(owner, name, die)

    before, plan = home.bytes(), home.pruning().plan()
    store = type(home.pruning().removal._store)
    for owner, name in (
        (MlflowClient, "set_tag"), (MlflowClient, "delete_logged_model"), (MlflowClient, "delete_run"),
        (removal, "_empty"), (store, "_hard_delete_logged_model"), (store, "_hard_delete_run"),
        (on_disk, "remove"), (Storage, "_remove"),
    ):  # fmt: skip
        dying(owner, name)
    result = None
    while result is None:
        try:
            result = home.pruning().carry_out(plan)
        except Killed:
            home.require_needed()
    assert kinds == {
        "set_tag", "delete_logged_model", "delete_run", "_empty", "_hard_delete_logged_model", "_hard_delete_run",
        "remove", "_remove",
    }  # fmt: skip
    monkeypatch.undo()
    assert home.pruning().plan().items == ()
    assert before - home.bytes() == freed_bytes(plan.items)
    assert load_program(home.settings, home.version)
