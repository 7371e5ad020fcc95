"""Features of real images made ahead of time, in a thread that steps back whenever the network is needed for more."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from gan.errors import GanflowError
from gan.evaluation.extraction import OnProgress
from gan.evaluation.real import RealFeatures


class Ahead:
    """Passes what will be wanted through the network, one set after the other.

    Args:
        features: keeps what was made; what a process does not come to, the next one goes on with.
        wanted: splits, and of how many images; the first of them is waited for, the others give way.
    """

    def __init__(self, features: RealFeatures, wanted: Sequence[tuple[str, int]]) -> None:
        self.features = features
        self.wanted = wanted
        self._listener: Callable[[int], None] = lambda done: None
        self._first, self._free = threading.Event(), threading.Event()
        self._free.set()
        threading.Thread(target=self._run, name="features ahead", daemon=True).start()

    def _run(self) -> None:
        # what goes wrong here goes wrong again where it is waited for, and is explained there
        with contextlib.suppress(GanflowError, OSError):
            for split, count in self.wanted:
                self.features.of(split, count, self._told)
                self._first.set()
        self._first.set()

    def _told(self, done: int) -> None:
        if not self._first.is_set():
            self._listener(done)
            return
        self._free.wait()

    @contextlib.contextmanager
    def paused(self, on_progress: OnProgress) -> Iterator[None]:
        """Wait for the first set; the others then wait until the block is left.

        Args:
            on_progress: called with how many images of the first set are done, as long as it is waited for.
        """
        self._listener = on_progress
        self._first.wait()
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()
