"""Ray on this machine alone: started with patience, out of others' reach, in a folder that goes with it."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from gan.errors import OutOfPatienceError
from gan.text.shown import last_line_of
from tasks.runtime.guard import guard
from tasks.runtime.guardian import end
from tasks.runtime.scratch import local_scratch

# Ray then takes 127.0.0.1 for this machine's address, on Linux too, and its processes listen nowhere else.
LOOPBACK_ALONE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# Ray gives its own processes 30 s to start, which are not enough where others keep the processors busy.
STARTS = 3
RAYS_FOLDER = "RAY_TMPDIR"
ONLOOKERS = ("start_monitor", "start_log_monitor")
"""Ray starts them beside itself: one would have a cloud add nodes, the other tells drivers what workers write."""
LONGEST_SOCKET_NAME = 107  # which the kernel takes
_LONGEST_SOCKET = "session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"


def start_ray_here(places: ExitStack, on_warning: Callable[[str], None]) -> None:
    """Start Ray on this machine; whoever stops it closes `places` afterwards.

    Args:
        places: gets what has to go, or to be put back, with it.
        on_warning: called with a sentence where Ray did not start and is tried again.

    Raises:
        OutOfPatienceError: it did not start.
    """
    place = places.enter_context(_own_place())
    places.enter_context(locked_up())
    _start(place, on_warning)


def _start(place: Path | None, on_warning: Callable[[str], None]) -> None:
    import ray

    guardian = guard()
    for left in reversed(range(STARTS)):
        there = _children()
        try:
            with without_onlookers():
                # A dashboard that nobody asked for is one more open port.
                ray.init(
                    address="local",
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    _temp_dir=place and str(place),
                )
        except Exception as error:  # Ray raises a bare one when its time is over
            _clear_away(there)
            if not left:
                raise OutOfPatienceError(
                    f"Ray did not start on this machine in {STARTS} tries ({last_line_of(error)}): "
                    "try again when it is less busy"
                ) from None
            on_warning(
                f"Ray did not start on this machine ({last_line_of(error)}): it is tried again, {left} more times"
            )
        else:
            guardian.look()
            return


@contextmanager
def _own_place() -> Iterator[Path | None]:
    """Make a folder for Ray's logs and sockets, which nobody else would ever remove from /tmp/ray.

    What a killed command leaves there goes with the next one. None, for Ray's own place, where the person has named
    one, or where the names of sockets would be too long.
    """
    if RAYS_FOLDER in os.environ:
        yield None
        return
    with local_scratch("ray") as folder:
        yield folder if len(str(folder / _LONGEST_SOCKET)) <= LONGEST_SOCKET_NAME else None


@contextmanager
def locked_up() -> Iterator[None]:
    """Let a Ray that is started in the block listen on loopback alone, and ask for a token that nobody else can read.

    It would listen on every address, and keep its token in a file of the person's home that everyone may read.
    """
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    # Ray itself turns its token on, unless the person has set RAY_AUTH_MODE.
    names = (LOOPBACK_ALONE, "RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
    before = {name: os.environ[name] for name in names if name in os.environ}
    clusters = ray_constants.ENABLE_RAY_CLUSTER  # read from the variable when Ray was imported
    os.environ.update({"RAY_AUTH_TOKEN": secrets.token_hex(32), **before, LOOPBACK_ALONE: "0"})
    ray_constants.ENABLE_RAY_CLUSTER = False
    AuthenticationTokenLoader.instance().reset_cache()  # an earlier Ray of this process had another
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
        AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def without_onlookers() -> Iterator[None]:
    """Let a Ray that is started in the block leave out `ONLOOKERS`, for which nobody has a use here.

    They take two seconds of a core to load their libraries, and a hundredth of one from then on.
    """
    from ray._private.node import Node

    before = {name: vars(Node)[name] for name in ONLOOKERS if name in vars(Node)}  # a later Ray may have others
    for name in before:
        setattr(Node, name, lambda node: None)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _clear_away(there: set[psutil.Process]) -> None:
    """Stop what a start of Ray that failed has left, and forget it."""
    import ray

    ray.shutdown()
    end(_children() - there, grace=1.0)
