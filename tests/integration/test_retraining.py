"""What a retraining does about those before it, on a real store (SQLite); training and measuring are stood in for."""

import uuid
from types import SimpleNamespace

import pytest
from prefect.logging import disable_run_logger

from flows import retrain as module
from flows.configure import resolve_config
from flows.retrain import Skipped, retrain_configured
from gan.errors import InputError, ServiceError
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, RunLog, client, create_run, ending
from tasks.tracking.runs import REPRODUCES
from tasks.train.code import CODE, RESUMED_CODE, code_tags
from tasks.train.earlier import MOST_FAILURES, VERDICT, VERSION

pytestmark = pytest.mark.integration
CONFIGURATION = resolve_config("debug", [])
RECIPE = CONFIGURATION.config.recipe_hash()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def md5():
    """Each test's own dataset, so that what other tests left is none of its."""
    return uuid.uuid4().hex


@pytest.fixture(autouse=True)
def settings(home, md5, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(module, "require_version", lambda settings: md5)
    with disable_run_logger():
        yield Settings()


@pytest.fixture
def finished(settings, md5):
    """Leave a training that came to its end, as `train` does; a tag None is left out."""

    def leave(seed=0, **tags):
        config = CONFIGURATION.changed(f"train.seed={seed}").config
        facts = {"recipe": RECIPE, "dataset_md5": md5, CODE: code_tags()[CODE]} | tags
        given = {key: value for key, value in facts.items() if value is not None}
        with ending(create_run(settings, TRAINING, "one", given)) as log:
            log.params(config)
        return log.run_id

    return leave


class Done:
    """Trains nothing but its run, and registers what it is told to; remembers both."""

    def __init__(self, finished, settings):
        self.finished, self.settings = finished, settings
        self.trained, self.registered = [], []
        self.error = None

    def train(self, configuration, workers, resume, warm_start):
        self.trained.append(configuration.config.train.seed)
        return SimpleNamespace(run_id=self.finished(seed=self.trained[-1]))

    def register(self, run_id, configuration):
        if self.error:
            raise self.error
        self.registered.append((run_id, configuration.config.train.seed))
        RunLog(client(self.settings), run_id).tags({VERSION: str(len(self.registered)), VERDICT: "champion: better"})
        return SimpleNamespace(version=len(self.registered))


@pytest.fixture
def done(finished, settings, monkeypatch):
    found = Done(finished, settings)
    monkeypatch.setattr(module, "train", found.train)
    monkeypatch.setattr(module, "register", found.register)
    return found


def retraining(**options):
    return retrain_configured.fn(CONFIGURATION, **options)


def test_where_nothing_has_changed_a_schedule_trains_nothing_and_a_person_the_next_seed(done):
    first = retraining(skip_unchanged=True)
    assert (first.version, done.trained) == (1, [0])
    skipped = retraining(skip_unchanged=True)
    run_id = done.registered[0][0]
    assert isinstance(skipped, Skipped)
    assert (skipped.run_id, skipped.version, skipped.verdict) == (run_id, 1, "champion: better")
    assert f"run {run_id}" in skipped.skipped
    assert "version 1, champion: better" in skipped.skipped
    assert (retraining().version, done.trained) == (2, [0, 1])


OTHERS = {
    "other code": {CODE: "ganflow 0, 0"},
    "code that is not said": {CODE: None},
    "gone on with by other code": {RESUMED_CODE: "ganflow 0, 0"},
    "another dataset": {"dataset_md5": "e" * 32},
    "another recipe": {"recipe": "another"},
    "a version made again": {REPRODUCES: "1"},
}


@pytest.mark.parametrize("verdict", [{VERDICT: "champion: better"}, {}], ids=["decided", "waiting"])
@pytest.mark.parametrize("tags", OTHERS.values(), ids=OTHERS)
def test_another_training_does_not_count(finished, done, tags, verdict):
    finished(**tags, **verdict)
    retraining(skip_unchanged=True)
    assert len(done.trained) == 1


@pytest.mark.parametrize("skip", [False, True])
def test_what_is_trained_and_was_never_decided_about_is_registered_in_place_of_a_new_training(finished, done, skip):
    finished(seed=0, **{VERDICT: "challenger: within chance"})
    waiting = finished(seed=5)
    retraining(skip_unchanged=skip)
    assert (done.trained, done.registered) == ([], [(waiting, 5)])


def test_a_training_that_cannot_be_registered_does_not_stand_in_the_way_for_ever(finished, done):
    waiting = finished()
    for error in (ServiceError("MLflow is away"), *[InputError("it has no checkpoint")] * MOST_FAILURES):
        done.error = error
        with pytest.raises(type(error)):
            retraining()
    done.error = None
    retraining()
    assert done.trained == [1], "the weather is not counted, and nothing was trained before"
    assert done.registered[0][0] != waiting
