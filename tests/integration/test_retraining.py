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
from tasks.train.budget import Paused
from tasks.train.code import CODE, RESUMED_CODE, code_tags
from tasks.train.earlier import KID, MOST_FAILURES, VERDICT, VERSION

pytestmark = pytest.mark.integration
CONFIGURATION = resolve_config("debug", ["evaluation.watch_images=32"])
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

    def leave(seed=0, kid=None, overrides=(), **tags):
        config = CONFIGURATION.changed(f"train.seed={seed}", *overrides).config
        facts = {"recipe": RECIPE, "dataset_md5": md5, CODE: code_tags()[CODE]} | tags
        given = {key: value for key, value in facts.items() if value is not None}
        with ending(create_run(settings, TRAINING, "one", given)) as log:
            log.params(config)
            if kid is not None:
                log.metrics({KID: kid}, 1)
        return log.run_id

    return leave


class Killed(BaseException):
    """What ends a command at once."""


class Done:
    """Trains nothing but its run, and registers what it is told to; remembers both."""

    def __init__(self, finished, settings):
        self.finished, self.settings = finished, settings
        self.trained, self.registered, self.kids = [], [], []
        self.error, self.paused_at = None, 0

    def train(self, configuration, workers, resume, warm_start, max_minutes):
        self.trained.append(configuration.config.train.seed)
        if self.paused_at:
            return Paused(paused="the time is over", run_id="r", cur_nimg=self.paused_at, total_nimg=9)
        kid = self.kids.pop(0) if self.kids else None
        if kid is Killed:
            raise Killed
        run_id = self.finished(seed=self.trained[-1], kid=kid)
        return SimpleNamespace(run_id=run_id, kid=kid, dataset_md5=module.require_version(self.settings))

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


def test_a_training_that_pauses_is_not_registered_and_keeps_its_seed(done):
    done.paused_at = 5
    assert retraining(max_minutes=10.0).cur_nimg == 5
    done.paused_at = 0
    assert retraining(max_minutes=10.0).version == 1
    assert done.trained == [0, 0]


def test_without_time_for_another_trial_what_is_trained_waits(done, monkeypatch):
    left = iter([1.0, 0.0])
    monkeypatch.setattr(module, "minutes_left", lambda until: next(left, None))
    done.kids = [0.1, 0.2]
    assert "after 1 of 2 trials" in retraining(trials=2, max_minutes=1.0).paused
    assert done.registered == []
    retraining(trials=2)
    assert (done.trained, len(done.registered)) == ([0, 1], 1)


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


def verdicts(settings, md5):
    """Of the dataset's trainings, by seed."""
    opened = client(settings)
    experiment = opened.get_experiment_by_name(TRAINING).experiment_id
    runs = opened.search_runs([experiment], f"tags.dataset_md5 = '{md5}'")
    return {int(run.data.params["train.seed"]): run.data.tags.get(VERDICT) for run in runs}


def test_of_several_seeds_the_best_by_its_kid_is_registered_and_the_others_say_why_not(settings, md5, done):
    done.kids = [0.03, 0.01, None]
    retraining(trials=3)
    assert done.trained == [0, 1, 2]
    ((best, seed),) = done.registered
    assert seed == 1
    assert verdicts(settings, md5) == {
        0: f"not chosen: a KID of 0.03 beside training, run {best} has a KID of 0.01",
        1: "champion: better",
        2: f"not chosen: no KID beside training, run {best} has a KID of 0.01",
    }
    skipped = retraining(skip_unchanged=True, trials=3)
    assert (skipped.run_id, skipped.version) == (best, 1), "not the newest, but the one that became a version"


def test_trials_that_were_killed_go_on_where_they_were(done):
    done.kids = [0.02, Killed]
    with pytest.raises(Killed):
        retraining(trials=3)
    done.trained.clear()
    done.kids = [0.04, 0.03]
    retraining(trials=3, skip_unchanged=True)
    assert (done.trained, done.registered[0][1]) == ([1, 2], 0)


def test_a_kill_after_the_choice_trains_nothing_more(settings, md5, done):
    done.kids, done.error = [0.02, 0.01], Killed()
    with pytest.raises(Killed):
        retraining(trials=2)
    done.error = None
    retraining(trials=2)
    assert (done.trained, done.registered[0][1]) == ([0, 1], 1)


def test_a_kid_that_was_measured_otherwise_is_not_compared(finished, done):
    finished(seed=0, kid=0.001, overrides=["evaluation.watch_images=64"])
    done.kids = [0.02]
    retraining(trials=2)
    assert (done.trained, done.registered[0][1]) == ([1], 1)


def test_where_nothing_tells_the_waiting_apart_none_is_thrown_away(finished, done):
    waiting = [finished(seed=seed) for seed in (0, 1)]
    retraining()
    retraining()
    assert (done.trained, {run_id for run_id, _ in done.registered}) == ([], set(waiting))


def test_where_the_dataset_changes_between_trials_they_begin_anew(done, monkeypatch):
    versions = iter(["a" * 32, "a" * 32, "b" * 32, "b" * 32])
    monkeypatch.setattr(module, "require_version", lambda settings: next(versions))
    retraining(trials=2)
    assert done.trained == [0, 0, 0]


def test_trials_that_cannot_be_told_apart_are_refused_before_anything_starts(done, settings):
    configuration = CONFIGURATION.changed("evaluation.watch_images=0")
    with pytest.raises(InputError, match=r"^2 trials cannot be told apart with evaluation\.watch_images=0"):
        retrain_configured.fn(configuration, trials=2)
    assert done.trained == []
