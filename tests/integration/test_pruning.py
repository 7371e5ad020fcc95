"""Pruning on a real MLflow (SQLite) with real artifacts: what is said is what is freed, and what is needed stays."""

import copy
import json
import time

import numpy as np
import pytest
import torch
from copied_home import copied
from mlflow import MlflowClient

from gan.configuration.config import NetworkConfig
from gan.errors import ReleaseError, ServiceError
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from gan.training.checkpoint import HASHES
from tasks.champion.changing import Wish, promote_whatever
from tasks.dataset.in_storage import StoredVersion
from tasks.generate.names import choose_name
from tasks.ingest.run import INGEST_LOCK
from tasks.prune import on_disk, pruning
from tasks.prune.pruning import Pruning
from tasks.prune.records import freed_bytes
from tasks.prune.stored import Storage
from tasks.releases.states import releases
from tasks.releases.unpublished import lock_of
from tasks.runtime.locks import hold_lock, reading
from tasks.runtime.settings import Settings
from tasks.tracking import removal
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING, client, create_run, run
from tasks.tracking.past import past_run
from tasks.tracking.registry import load_program, register_version
from tasks.tracking.versions import find_model
from tasks.train.lease import training_lease
from tasks.train.run_storage import RunStorage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
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

    def copied(self, to):
        """The same home at another place."""
        other = copy.copy(self)
        other.settings = Settings(ganflow_home=copied(self.settings.home, to), mlflow_tracking_uri=None)
        return other

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
            "releases/v9-001/files/train-00000-of-00002.parquet": 40,
            "quarantine/v9-000/manifest.json": 41,
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


@pytest.fixture(scope="module")
def made(without_onnx, tmp_path_factory):
    return Home(tmp_path_factory.mktemp("made") / "home")


@pytest.fixture
def home(made, tmp_path):
    return made.copied(tmp_path / "home")


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
        ("unfinished release", "v9-001"),
        ("quarantined release", "v9-000"),
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


def test_a_release_that_is_drawn_or_read_stays_and_of_one_that_goes_the_record_stays(home):
    settings = home.settings
    refused = {"release": "v9-000", "model": settings.model, "model_version": "1", "state": "quarantined"}
    with run(settings, RELEASES, "v9-000", refused):
        pass
    pruning = home.pruning(what=("releases",))
    plan = pruning.plan()
    drawn, read = settings.unfinished_dir / "v9-001", settings.quarantine_dir / "v9-000"
    with hold_lock(lock_of(drawn)), reading(read):
        assert [(each.name, each.why) for each in pruning.plan().stays] == [("v9-001", "somebody draws it")]
        result = pruning.carry_out(plan)
    assert {each.name: each.why for each in result.skipped} == {
        "v9-001": "somebody draws it",
        "v9-000": "somebody draws or reads it",
    }
    assert names(pruning.carry_out(plan).removed) == names(plan.items)
    assert not any(path.exists() for path in (drawn, read))
    (found,) = releases(settings)
    assert (found.row["state"], found.removed) == ("removed", "it was refused more than 30 days ago")
    with pytest.raises(ReleaseError, match="there was a release v9-000"):
        choose_name(settings, 9, "v9-000")


class Killed(BaseException):
    pass


@pytest.mark.slow
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


def test_what_is_needed_when_its_turn_comes_stays(home):
    plan = home.pruning().plan()
    later = home.register(home.model, 4, home.settings)
    with training_lease(home.settings, home.cut):
        result = home.pruning().carry_out(plan)
    left = {(each.kind, each.name): each.why for each in result.skipped}
    assert set(left) >= {("training run", home.model), ("training run", home.cut)}
    assert left["training run", home.model] == f"version {later.version} of {home.settings.model}"
    assert past_run(home.settings, home.lost) is None
    assert (home.settings.state_dir / "runs" / home.cut / "checkpoint_1").exists()
    assert load_program(home.settings, later)


@pytest.mark.slow
def test_a_version_that_comes_between_the_look_and_the_deletion_is_seen(home):
    steps = {
        item.name: step
        for step in home.pruning()._look()
        if isinstance(step, pruning.Step)
        for item in step.items
        if item.kind == "training run"
    }
    later = home.register(home.model, 4, home.settings)
    with run(home.settings, TRAINING, "new", {"warm_start": json.dumps({"run_id": home.lost})}):
        pass
    with pytest.raises(pruning.NeededError, match=f"it has become version {later.version}"):
        steps[home.model].remove(print)
    with pytest.raises(pruning.NeededError, match=r"run \w+ names it"):
        steps[home.lost].remove(print)
    client(home.settings).update_run(home.cut, status="RUNNING")
    with pytest.raises(pruning.NeededError, match="written again"):
        steps[home.cut].remove(print)
    home.require_needed()


@pytest.mark.slow
def test_groups_are_chosen_and_nothing_else_goes(home):
    for what in pruning.WHAT:
        plan = home.pruning(what=(what,)).plan()
        assert {item.what for item in plan.items} == {what}
        assert {each.what for each in plan.stays} <= {what}


def test_a_command_that_runs_keeps_caches_and_an_ingest_is_waited_for(home, monkeypatch):
    (home.settings.state_dir / "scratch" / "evaluation-0123").mkdir(parents=True)
    plan = home.pruning(up_runs=True).plan()
    gone = {item.kind for item in plan.items}
    assert not {"training run", "decoded dataset", "features", "published dataset", "log"} & gone
    assert {
        "a command of this home is at work (evaluation)",
        "this home evaluates something, which may be this run",
        "`ganflow up` runs",
    } <= {each.why for each in plan.stays}
    monkeypatch.setattr(pruning, "WAIT_SECONDS", 0.1)
    with hold_lock(home.settings.state_dir / INGEST_LOCK), pytest.raises(ServiceError, match="prune when it has ended"):
        home.pruning().carry_out(plan)


@pytest.mark.slow
def test_deleted_things_of_others_stay_deleted_and_restorable(home):
    opened = client(home.settings)
    theirs = opened.create_experiment("theirs")
    run_id = opened.create_run(theirs).info.run_id
    opened.log_text(run_id, "text", "file.txt")
    opened.delete_experiment(theirs)
    opened.delete_run(home.young)
    home.pruning().carry_out(home.pruning().plan())
    opened.restore_experiment(theirs)
    opened.restore_run(home.young)
    assert opened.list_artifacts(run_id)
    assert opened.list_artifacts(home.young, "checkpoint")


def test_the_command(home, ganflow, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(home.settings.home))
    status, out, err = ganflow("prune", "--json", "--dry-run", "--older-than", "0")
    assert status == 0, err
    plan = json.loads(out)
    assert plan["dry_run"]
    # This home is of today: what a test's clock calls young is in its future.
    assert ("training run", home.lost) in {(each["kind"], each["name"]) for each in plan["plan"]["items"]}
    status, out, err = ganflow("prune", "--older-than", "0")
    assert (status, out) == (2, "")
    assert "there is no terminal to ask on" in err
    status, out, err = ganflow("prune", "--older-than", "0", "--what", "runs,logs", "--yes")
    assert status == 0, err
    assert "runs: 6 things, " in out
    assert "logs: 2 things, " in out  # a log, and a result that names no evaluation
    assert "removed 8 things, " in out
    assert past_run(home.settings, home.lost) is None
    status, out, err = ganflow("prune", "--what", "runs")
    assert (status, out.splitlines()[0]) == (0, "nothing that is older than 30 days may go")


@pytest.mark.slow
def test_a_storage_that_is_an_object_store(bucket):
    _, address = bucket
    storage = Storage(address)
    assert storage.folders() == ({}, {})
    for name in ("one", "two"):
        RunStorage(address, name).put("checkpoint_1/hashes.json", bytes(20))
    for md5 in (MD5, OTHER):
        for name in ("dataset.json", "files.json"):
            StoredVersion(address, md5).put(name, iter([bytes(30)]))
    settings = Settings(ganflow_storage=address)
    with training_lease(settings, "two"):
        runs, datasets = storage.folders()
        assert {name: found.held for name, found in runs.items()} == {"one": False, "two": True}
        assert storage.anybody_trains()
    assert runs["one"].bytes == 20
    assert {md5: found.bytes for md5, found in datasets.items()} == {MD5: 60, OTHER: 60}
    for _ in range(2):
        storage.remove("one")
        storage.remove_dataset(OTHER)
    runs, datasets = storage.folders()
    assert (set(runs), set(datasets)) == ({"two"}, {MD5})
    assert "hunter" not in storage.place("two")
    assert storage.place("two").endswith("bucket/runs/two")
