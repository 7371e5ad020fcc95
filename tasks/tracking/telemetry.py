"""Telemetry of a long work: written by a thread of its own, kept while MLflow is away, and never in the work's way."""

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from gan.text.shown import reason_of
from tasks.runtime.failures import is_transient

MOST_RECORDS, MOST_BYTES = 10_000, 64 * 2**20
LAST_SECONDS = 60.0  # for what is left at the end
_STOPPED_SECONDS = 1.0  # the same, where the command is being ended
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_IN_A_ROW = 2  # one record may be at fault itself; two in a row say that MLflow is


@dataclass(frozen=True, eq=False)
class _Record:
    kind: str
    write: Callable[[], object]
    size: int


class Telemetry:
    """Writes records in the order in which they are put; what fails waits, and is tried again with growing pauses.

    Beyond `most_records` or `most_bytes` the oldest is dropped. Use it as a context manager: it ends with a warning
    that counts what was never written, if there is such.

    Args:
        whose: the work, for warnings, as in `run 1a2b`.
        on_warning: called with a sentence, from any thread.
        most_records: how many may wait.
        most_bytes: how large the waiting ones may be together.
        last_seconds: how long the end may take.
        first_pause: seconds before the first further try.
    """

    def __init__(
        self,
        whose: str,
        on_warning: Callable[[str], None],
        *,
        most_records: int = MOST_RECORDS,
        most_bytes: int = MOST_BYTES,
        last_seconds: float = LAST_SECONDS,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        self._whose = whose
        self._on_warning = on_warning
        self._most_records, self._most_bytes = most_records, most_bytes
        self._last_seconds, self._first_pause = last_seconds, first_pause
        self._waiting: deque[_Record] = deque()
        self._writing: _Record | None = None
        self._bytes = 0
        self._lost: Counter[str] = Counter()
        self._reason = ""
        self._change = threading.Condition()
        self._closing = False
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def put(self, kind: str, write: Callable[[], object], size: int = 0) -> None:
        """Have something written; returns at once.

        Args:
            kind: what it is, for the count of what was lost, as in `pictures`.
            write: does it; called again if it fails.
            size: bytes that it holds.
        """
        with self._change:
            self._waiting.append(_Record(kind, write, size))
            self._bytes += size
            while len(self._waiting) > self._most_records or (self._bytes > self._most_bytes and self._waiting):
                self._lose(self._waiting.popleft())
                self._reason = self._reason or "too much was waiting"
            self._change.notify_all()

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Write what waits, for as long as that may take, and count what could not be written."""
        seconds = self._last_seconds if kind is None or issubclass(kind, Exception) else _STOPPED_SECONDS
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join(seconds)
        with self._change:
            self._given_up = True
            for record in (*([self._writing] if self._writing else ()), *self._waiting):
                self._lose(record)
            self._change.notify_all()
            lost = ", ".join(f"{count} {kind}" for kind, count in sorted(self._lost.items()))
        if lost:
            self._warn(
                f"{lost} of {self._whose} could not be written to MLflow ({self._reason or 'it takes too long'}) and "
                "are lost; the work itself is not concerned"
            )

    def _lose(self, record: _Record) -> None:
        self._bytes -= record.size
        self._lost[record.kind] += 1

    def _run(self) -> None:
        pause = self._first_pause
        while self._wait_for_work():
            ended = self._pass_through() or self._rest(pause)
            pause = self._first_pause if ended else min(2 * pause, _LONGEST_PAUSE)

    def _rest(self, seconds: float) -> bool:
        """Wait; return whether the end, which cuts a long pause short, came meanwhile."""
        with self._change:
            was_closing = self._closing
            self._change.wait_for(lambda: self._given_up or self._closing != was_closing, seconds)
            return self._closing != was_closing

    def _wait_for_work(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: bool(self._waiting) or self._closing)
            return bool(self._waiting) and not self._given_up

    def _pass_through(self) -> bool:
        """Try each waiting record once, until MLflow is found to be away; return whether all were written."""
        failures = in_a_row = 0
        for _ in range(len(self._waiting)):
            with self._change:
                if not self._waiting or self._given_up:
                    break
                record = self._writing = self._waiting.popleft()
            try:
                record.write()
            except Exception as error:
                self._note(error)
                written, again = False, is_transient(error) or not self._closing
            else:
                written, again = True, False
            with self._change:
                self._writing = None
                if self._given_up:  # it has been counted
                    break
                if written:
                    self._bytes -= record.size
                elif not again:
                    self._lose(record)
                else:  # behind the others: one that can never be written shall not hold them up
                    self._waiting.append(record)
            failures, in_a_row = (failures, 0) if written else (failures + 1, in_a_row + 1)
            if in_a_row == _IN_A_ROW:
                break
        return not failures

    def _note(self, error: Exception) -> None:
        first, self._reason = not self._reason, reason_of(error)
        if first:
            self._warn(
                f"MLflow did not take a record of {self._whose} ({self._reason}): the work goes on, and what is to be "
                "written waits"
            )

    def _warn(self, sentence: str) -> None:
        with contextlib.suppress(Exception):  # a warning that cannot be shown shall not end the writing
            self._on_warning(sentence)
