"""A parser under attack: what its bytes begin as, how they are read, and what it may raise."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzzing.damage import damage_among, damaged
from gan.errors import GanflowError

LONGEST_SENTENCE = 20_000
"""Characters of an error's sentence: it is for a person, and stands in logs and records."""

CACHES = ("torchinductor_",)
"""How temporary folders begin that a library makes once and keeps."""


@dataclasses.dataclass(frozen=True, repr=False)
class Target:
    """A parser.

    Attributes:
        name: of the function that reads.
        seeds: makes good bytes by a name, which may be that of a file.
        read: takes the name, bytes and an empty folder, and returns or raises one of `errors`.
        errors: what the parser documents.
        edits: changes of what the bytes mean, and who makes them; nothing where bytes are bytes.
    """

    name: str
    seeds: Callable[[], dict[str, bytes]]
    read: Callable[[str, bytes, Path], object]
    errors: tuple[type[Exception], ...]
    edits: tuple[st.SearchStrategy[Any], Callable[[bytes, Any], bytes]] | None

    def examples(self, names):
        """What may happen to one of the seeds: its name, changes of its meaning, or damage to its bytes."""
        name, nothing = st.sampled_from(names), st.just([])
        harmed = st.tuples(name, nothing, damage_among(names))
        if self.edits is None:
            return harmed
        edited = st.tuples(name, self.edits[0], nothing)
        return edited | harmed | edited

    def content(self, seeds, example):
        """The bytes that come of an example."""
        name, edits, damage = example
        data = self.edits[1](seeds[name], edits) if edits else seeds[name]
        return damaged(data, damage, seeds)

    def attempt(self, name, data):
        """Read bytes in a folder of their own; nothing but the parser's own errors may come of it, and nothing stays.

        Returns:
            Whether they were taken.
        """
        refused = None
        with tempfile.TemporaryDirectory() as top:
            folder, elsewhere = Path(top, "given"), Path(top, "elsewhere")
            folder.mkdir()
            elsewhere.mkdir()
            with _temporary_files_in(elsewhere), _standard_error_in(Path(top, "stderr")):
                try:
                    self.read(name, data, folder)
                except self.errors as error:
                    refused = error
            left = [path.name for path in elsewhere.iterdir() if not path.name.startswith(CACHES)]
            printed = Path(top, "stderr").read_text("utf-8", "replace")
        assert "Traceback" not in printed, printed
        assert not left, f"temporary files stay: {left}"
        if isinstance(refused, GanflowError):
            assert str(refused).isprintable()
            assert len(str(refused)) <= LONGEST_SENTENCE
        return refused is None


@contextlib.contextmanager
def _temporary_files_in(folder):
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _standard_error_in(file):
    """Have a file take what is written to standard error, also by libraries in C and by loggers with a stream."""
    before = os.dup(2)
    try:
        with file.open("wb") as out:
            os.dup2(out.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


TARGETS: dict[str, Target] = {}


def target(seeds, *, errors=(GanflowError,), edits=None):
    """Make a target of a function that reads."""

    def add(read):
        TARGETS[read.__name__] = Target(read.__name__, seeds, read, errors, edits)
        return read

    return add
