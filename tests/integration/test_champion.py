"""Changing the champion on a real registry (SQLite): promotion, the way back, kills, hands, and what is recalled."""

import itertools

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from gan.errors import InputError, ModelNotFoundError
from tasks.champion import changing
from tasks.champion.changing import Wish, champion, find_in_use, promote, promote_whatever, roll_back, settle
from tasks.champion.history import BY_HAND, FOUND, PROMOTED, ROLLED_BACK
from tasks.champion.store import CHANGE, Store
from tasks.releases.states import State, recalled_releases
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, run

pytestmark = pytest.mark.integration
NUMBERS = itertools.count()
WRITES = (
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "set_model_version_tag",
    "set_tag",
)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A server's database with models of many names, of which each test takes one."""
    return tmp_path_factory.mktemp("shared") / "mlflow.db"


@pytest.fixture
def registry(database):
    return MlflowClient(f"sqlite:///{database}", f"sqlite:///{database}")


@pytest.fixture
def settings(database, tmp_path, registry):
    """A home with a model of five versions that nobody has promoted."""
    found = Settings(
        ganflow_home=tmp_path,
        mlflow_tracking_uri=f"sqlite:///{database}",
        ganflow_model=f"model-{next(NUMBERS)}",
        ganflow_user="anna",
    )
    registry.create_registered_model(found.model)
    for _ in range(5):
        registry.create_model_version(found.model, "s3://nowhere/model", await_creation_for=0)
    return found


def wish(why="because"):
    return Wish(why, f"intent {next(NUMBERS)}")


def aliases(registry, settings):
    found = registry.get_registered_model(settings.model).aliases
    return {alias: int(version) for alias, version in found.items()}


def release(settings, version, model=None):
    tags = {"release": f"v{version}-001", "model_version": str(version)} | ({"model": model} if model else {})
    with run(settings, RELEASES, f"v{version}-001", tags):
        pass


def test_before_the_first_champion(settings, registry):
    assert settle(settings).changes == ()
    assert champion(settings) is None
    with pytest.raises(ModelNotFoundError, match="«champion»"):
        find_in_use(settings, "champion")
    with pytest.raises(InputError, match="no earlier champion"):
        roll_back(settings, None, wish())
    assert aliases(registry, settings) == {}


def test_promotions_and_the_way_back(settings, registry):
    for version in (1, 2, 3):
        promote_whatever(settings, version, wish(f"{version} is better"))
    assert aliases(registry, settings) == {"champion": 3, "previous": 2}
    roll_back(settings, None, wish("3 is worse"))
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}
    history = roll_back(settings, None, wish("so is 2"))
    assert aliases(registry, settings) == {"champion": 1}
    told = [(each.kind, each.before, each.after, each.who, each.why, each.settled) for each in history.changes]
    assert told == [
        (PROMOTED, None, 1, "anna", "1 is better", True),
        (PROMOTED, 1, 2, "anna", "2 is better", True),
        (PROMOTED, 2, 3, "anna", "3 is better", True),
        (ROLLED_BACK, 3, 2, "anna", "3 is worse", True),
        (ROLLED_BACK, 2, 1, "anna", "so is 2", True),
    ]


def test_going_back_to_a_version_by_its_number(settings, registry):
    for version in (1, 2, 3, 4):
        promote_whatever(settings, version, wish())
    roll_back(settings, 2, wish())
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}
    for wrong, why in ((2, "champion already"), (3, r"that stand \(1\)"), (5, r"that stand \(1\)"), (77, "that stand")):
        with pytest.raises(InputError, match=why):
            roll_back(settings, wrong, wish())
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}


def test_a_version_that_is_not_there_changes_nothing(settings, registry):
    promote_whatever(settings, 1, wish())
    with pytest.raises(ModelNotFoundError, match="no version 9"):
        promote_whatever(settings, 9, wish())
    assert aliases(registry, settings) == {"champion": 1}
    assert len(settle(settings).changes) == 1


def test_an_intent_is_done_once_however_often_it_is_tried(settings, registry):
    promote_whatever(settings, 1, wish())
    promote_whatever(settings, 2, wish())
    promote_whatever(settings, 3, wish())
    back = wish()
    for _ in range(3):
        roll_back(settings, None, back)
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}
    assert promote_whatever(settings, 2, wish()).head == promote_whatever(settings, 2, wish()).head


def test_a_decision_upon_another_champion_is_none(settings, registry):
    assert promote(settings, 2, wish(), against=1) is None
    assert promote(settings, 1, wish(), against=None) is not None
    assert promote(settings, 2, wish(), against=None) is None
    assert promote(settings, 2, wish(), against=1) is not None
    assert promote(settings, 2, wish(), against=1) is not None, "it is champion already"
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}


def test_of_two_homes_that_decide_at_once_one_is_told(settings, registry, tmp_path, monkeypatch):
    promote_whatever(settings, 1, wish())
    other = settings.model_copy(update={"ganflow_home": tmp_path / "other", "ganflow_user": "ben"})
    write = Store.write

    def meanwhile(ours, change):
        monkeypatch.setattr(Store, "write", write)
        assert promote(other, 3, wish(), against=1) is not None
        return write(ours, change)

    monkeypatch.setattr(Store, "write", meanwhile)
    assert promote(settings, 2, wish(), against=1) is None
    history = settle(settings)
    assert [(each.after, each.who) for each in history.changes] == [(1, "anna"), (3, "ben")]
    assert aliases(registry, settings) == {"champion": 3, "previous": 1}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("verb", ["promote", "back"])
def test_killed_before_any_write_the_next_command_ends_it_or_it_has_not_begun(settings, registry, verb, monkeypatch):
    for version in (1, 2):
        release(settings, version, settings.model)
    promote_whatever(settings, 1, wish())
    promote_whatever(settings, 2, wish())
    for moment in itertools.count(1):
        before, asked = settle(settings), wish("asked")
        goal = 2 if before.champion == 1 else 1
        with monkeypatch.context() as patch:
            left = [moment]
            for name in WRITES:
                patch.setattr(MlflowClient, name, dying(getattr(MlflowClient, name), left))
            try:
                change(settings, verb, goal, asked)
                ended = True
            except Killed:
                ended = False
        after = settle(settings)
        in_effect = after.by_intent(asked.intent) is not None
        assert len(after.changes) == len(before.changes) + in_effect
        require_aliases(registry, settings, after)
        change(settings, verb, goal, asked)  # the retry of the step
        again = settle(settings)
        assert len(again.changes) == len(before.changes) + 1
        assert again.champion == goal
        require_aliases(registry, settings, again)
        if verb == "back":
            assert recalled_releases(settings, 2) == ["v2-001"]
            promote_whatever(settings, 2, wish())
        if ended:
            break
    assert moment > 4, "a change is several writes"


def change(settings, verb, goal, asked):
    if verb == "promote":
        promote_whatever(settings, goal, asked)
    else:
        roll_back(settings, None, asked)


def dying(method, left):
    def dies(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return method(*arguments, **options)

    return dies


def require_aliases(registry, settings, history):
    wanted = {"champion": history.champion} | ({"previous": history.former[-1]} if history.former else {})
    assert aliases(registry, settings) == wanted


def test_a_change_of_a_process_that_lives_is_waited_for(settings, registry, monkeypatch):
    promote_whatever(settings, 1, wish())
    store, elsewhere = Store(settings), ProcessName("another machine", 1, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(ProcessName, "here", classmethod(lambda cls: elsewhere))
        patch.setattr(changing, "_finish", lambda *_: None)  # it is held up before it moves the aliases
        changing._write(store, store.history(), PROMOTED, 2, wish())
    looks = []
    monkeypatch.setattr(changing.time, "sleep", lambda seconds: looks.append(seconds))
    monkeypatch.setattr(changing.time, "monotonic", lambda: 1.0 * len(looks))
    assert settle(settings).champion == 2
    assert len(looks) >= changing.PATIENCE_SECONDS - 1
    assert aliases(registry, settings) == {"champion": 2, "previous": 1}


def test_a_process_that_was_held_up_too_long_puts_right_what_it_does_too_late(settings, registry):
    promote_whatever(settings, 1, wish())
    late = promote_whatever(settings, 2, wish())
    promote_whatever(settings, 3, wish())
    changing._finish(Store(settings), late)
    assert aliases(registry, settings) == {"champion": 3, "previous": 2}
    assert len(settle(settings).changes) == 3


def test_an_alias_that_a_person_moved_is_noted(settings, registry):
    promote_whatever(settings, 1, wish())
    promote_whatever(settings, 2, wish())
    registry.set_registered_model_alias(settings.model, "champion", "4")
    assert find_in_use(settings, "champion").version == 4
    registry.delete_registered_model_alias(settings.model, "champion")
    assert champion(settings) is None
    roll_back(settings, None, wish())
    kinds = [(each.kind, each.before, each.after) for each in settle(settings).changes]
    assert kinds[2:] == [(BY_HAND, 2, 4), (BY_HAND, 4, None), (ROLLED_BACK, None, 4)]
    assert aliases(registry, settings) == {"champion": 4, "previous": 2}


def test_a_champion_from_before_there_was_a_history(settings, registry):
    registry.set_registered_model_alias(settings.model, "champion", "3")
    promote_whatever(settings, 5, wish())
    assert [(each.kind, each.before, each.after) for each in settle(settings).changes] == [
        (FOUND, None, 3),
        (PROMOTED, 3, 5),
    ]
    assert aliases(registry, settings) == {"champion": 5, "previous": 3}


def test_a_version_that_a_person_removed_is_not_gone_back_to(settings, registry):
    for version in (1, 2, 3):
        promote_whatever(settings, version, wish())
    registry.delete_model_version(settings.model, "2")
    roll_back(settings, None, wish())
    assert aliases(registry, settings) == {"champion": 1}
    registry.delete_model_version(settings.model, "1")
    assert champion(settings) is None
    promote_whatever(settings, 4, wish())
    assert aliases(registry, settings) == {"champion": 4}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"kind": "promoted"}', "[" * 100_000, '{"follows": true}'])
def test_what_others_wrote_into_the_history_has_no_effect(settings, registry, text):
    promote_whatever(settings, 1, wish())
    source = f"models:/{settings.model}/1"
    registry.create_model_version(settings.history_model, source, tags={CHANGE: text}, await_creation_for=0)
    promote_whatever(settings, 2, wish())
    assert [each.after for each in settle(settings).changes] == [1, 2]


def test_a_reason_is_shown_without_secrets_and_on_one_line(settings, registry):
    promote_whatever(settings, 1, wish("see https://anna:hunter2@example.org/x?token=abc\x1b[2J\n" + "a" * 9000))
    (change,) = settle(settings).changes
    assert "hunter2" not in change.why
    assert change.why.isprintable()
    assert len(change.why) <= 2000
    version = registry.get_model_version(settings.history_model, "1")
    assert version.description.startswith("promoted: none → 1, anna: see https://")
    assert "hunter2" not in version.description


def test_releases_of_what_was_withdrawn_are_recalled(settings, registry):
    for version in (1, 2):
        promote_whatever(settings, version, wish())
        release(settings, version, settings.model)
    release(settings, 2, "another-model")
    release(settings, 2)  # drawn before the name was a setting
    roll_back(settings, None, wish("stripes"))
    assert recalled_releases(settings, 2) == ["v2-001"]
    experiment = registry.get_experiment_by_name(RELEASES).experiment_id
    states = [
        (each.data.tags.get("model"), each.data.tags.get("state"), each.data.tags.get("recalled_because"))
        for each in registry.search_runs([experiment], "tags.model_version = '2'")
        if each.data.tags.get("model") in (None, settings.model, "another-model")
    ]
    assert (settings.model, State.RECALLED, "stripes") in states
    assert [state for state in states if state[0] != settings.model and state[1]] == []


def test_two_models_on_one_server_do_not_meet(settings, registry, tmp_path):
    other = settings.model_copy(update={"ganflow_model": f"{settings.model}-b"})
    registry.create_registered_model(other.model)
    registry.create_model_version(other.model, "s3://nowhere/model", await_creation_for=0)
    promote_whatever(settings, 3, wish())
    promote_whatever(other, 1, wish())
    assert (champion(settings).version, champion(other).version) == (3, 1)
    assert (champion(settings).name, champion(other).name) == (settings.model, other.model)


def test_a_store_that_fails_is_no_empty_registry(settings, registry, monkeypatch):
    def locked(*arguments, **options):
        raise MlflowException("database is locked")

    promote_whatever(settings, 1, wish())
    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", locked)
    with pytest.raises(MlflowException, match="locked"):
        champion(settings)
