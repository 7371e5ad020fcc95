"""Changing the champion: decided upon what was read, noted in the history, then the aliases are moved.

The history is what counts, and an alias follows it: whoever finds a change whose process is gone moves the aliases in
its place, so a kill at any moment loses nothing and leaves nothing half done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gan.errors import InputError
from tasks.champion.history import BY_HAND, FOUND, PROMOTED, ROLLED_BACK, Change, History, Kind
from tasks.champion.store import Store
from tasks.releases.states import recall_releases
from tasks.runtime.locks import hold_lock
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.versions import CHAMPION, PREVIOUS, RegisteredModel, find_model

# A process of another machine, of which nobody knows whether it lives, is given so long to move its aliases.
PATIENCE_SECONDS = 30.0
# So long an alias has to point elsewhere than the history says before a person is said to have moved it: a process
# that was held up longer than anybody waited for may just be putting right what it did too late.
CERTAIN_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_TRIES = 100

NextChange = Callable[[History], tuple[Kind, int] | None]


@dataclass(frozen=True)
class Wish:
    """What is asked for, and by whom.

    Attributes:
        why: in words.
        intent: names it, so that trying it again does not do it twice.
        flow_run: the Prefect flow run that asks, or nothing.
    """

    why: str
    intent: str
    flow_run: str = ""


@contextmanager
def one_decision_at_a_time(settings: Settings) -> Iterator[None]:
    """Hold the registry of this home while a candidate is compared with the champion and the aliases are moved.

    It spares work: other homes of the same registry are told by the history that they come too late.
    """
    with hold_lock(settings.state_dir / f"{settings.model}.lock", again=True):
        yield


def settle(settings: Settings) -> History:
    """Have the aliases as the history says, and in the history what was done past it.

    Raises:
        ServiceError: no MLflow server answers.
    """
    return _settle(Store(settings))


def champion(settings: Settings) -> RegisteredModel | None:
    """The version in use, or None where there is none, when the aliases are as they should be.

    Raises:
        ServiceError: no MLflow server answers.
    """
    in_use = settle(settings).champion
    return find_model(settings, str(in_use)) if in_use is not None else None


def find_in_use(settings: Settings, name: str) -> RegisteredModel:
    """Look a version up by alias or number, when the aliases are as they should be.

    Raises:
        ModelNotFoundError: the registry has no such version.
        ServiceError: no MLflow server answers.
    """
    if not name.isdecimal():
        settle(settings)
    return find_model(settings, name)


def promote(settings: Settings, version: int, wish: Wish, *, against: int | None) -> History | None:
    """Make a version the champion, if it is still the one that it was compared with.

    Args:
        settings: where the registry is.
        version: that version.
        wish: why, and by whom.
        against: the champion that it was compared with; None: there was none.

    Returns:
        The history that says so; None where the champion is another by now.

    Raises:
        ModelNotFoundError: there is no such version.
        ServiceError: no MLflow server answers.
    """

    def still_holds(history: History) -> bool:
        return history.champion in (against, version)

    return _change(Store(settings), _promotion(version), wish, still_holds)


def promote_whatever(settings: Settings, version: int, wish: Wish) -> History:
    """Make a version the champion because a person says so.

    Raises:
        ModelNotFoundError: there is no such version.
        ServiceError: no MLflow server answers.
    """
    done = _change(Store(settings), _promotion(version), wish)
    assert done is not None
    return done


def roll_back(settings: Settings, to: int | None, wish: Wish) -> History:
    """Go back to an earlier champion, and recall the releases of the one that was in use.

    Args:
        settings: where the registry is.
        to: the version; None: the champion before.
        wish: why, and by whom.

    Raises:
        InputError: there is none to go back to, or that version was never champion, or was withdrawn.
        ServiceError: no MLflow server answers.
    """
    store = Store(settings)
    done = _change(store, lambda history: (ROLLED_BACK, _goal(store, history, to)), wish)
    assert done is not None
    return done


def _settle(store: Store) -> History:
    waited_for, since, in_doubt = 0, 0.0, False
    while True:
        # In this order: an alias that is read later can only be newer, and then nothing can be noted after this head.
        history = store.history()
        in_use, last = store.version_in_use(), history.last
        if last is not None and not last.settled:
            if waited_for != last.number:
                waited_for, since = last.number, time.monotonic()
            if _is_at_work(last) and time.monotonic() - since < PATIENCE_SECONDS:
                time.sleep(_LOOK_SECONDS)
            else:
                _finish(store, history)
        elif in_use == history.champion:
            return history
        elif last is None:
            _write(store, history, FOUND, in_use, Wish("it was champion before there was a history", "found"))
        elif not in_doubt:
            in_doubt = True
            time.sleep(CERTAIN_SECONDS)
        else:
            in_doubt, why = False, "the alias was moved past ganflow"
            _write(store, history, BY_HAND, in_use, Wish(why, f"by hand after {history.head}"))


def _change(
    store: Store, next_change: NextChange, wish: Wish, still_holds: Callable[[History], bool] = lambda history: True
) -> History | None:
    for _ in range(_TRIES):
        history = _settle(store)
        if history.by_intent(wish.intent):  # this try's change, or an earlier one's
            return history
        if not still_holds(history):
            return None
        change = next_change(history)
        if change is None:
            return history
        _write(store, history, *change, wish)
    raise InputError(f"the champion of {store.model} changes again and again meanwhile: ask who else changes it")


def _promotion(version: int) -> NextChange:
    return lambda history: None if history.champion == version else (PROMOTED, version)


def _goal(store: Store, history: History, to: int | None) -> int:
    if to is not None and to == history.champion:
        raise InputError(f"version {to} of {store.model} is champion already: nothing was changed")
    there = [version for version in history.former if store.has(version)]
    if to is None and there:
        return there[-1]
    if to is not None and to in there:
        return to
    if to is None:
        raise InputError(f"{store.model} has no earlier champion to go back to: `ganflow history` shows what was")
    can = ", ".join(map(str, reversed(there))) or "none"
    raise InputError(
        f"version {to} of {store.model} is none of the earlier champions that stand ({can}): name one of them, or "
        f"use `ganflow promote {to} --force --reason …`"
    )


def _write(store: Store, history: History, kind: Kind, after: int | None, wish: Wish) -> None:
    written = store.write(
        Change(
            number=history.head + 1,
            follows=history.head,
            kind=kind,
            before=history.champion,
            after=after,
            who=store.settings.user,
            why=wish.why,
            intent=wish.intent,
            process=ProcessName.here().to_json(),
            flow_run=wish.flow_run,
            at=0,
        )
    )
    if (taken := written.by_intent(wish.intent)) is not None and not taken.settled:
        _finish(store, written)


def _finish(store: Store, history: History) -> None:
    """Move the aliases as the last change says, until no other change has come in between."""
    while (last := history.last) is not None:
        store.move(CHAMPION, [] if last.after is None else [last.after])
        store.move(PREVIOUS, reversed(history.former))
        if last.kind == ROLLED_BACK and last.before is not None:
            recall_releases(store.settings, last.before, last.why)
        store.mark_settled(last)
        now = store.history()
        if now.head == last.number:
            return
        history = now


def _is_at_work(change: Change) -> bool:
    process = ProcessName.parse(change.process)
    return process is not None and not process.is_dead and process != ProcessName.here()
