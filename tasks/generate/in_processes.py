"""A large release drawn by a process for each core: threads of one process wait for each other in the interpreter.

This process is one of them: it draws from the first moment on, and a process fewer has to be started.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from queue import Empty, Queue
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from gan.device.child import Child, ChildKilledError, bytes_of
from gan.device.cores import cores
from gan.device.memory import free_host_bytes
from gan.errors import ResourcesError
from gan.release.blocks import Artist, drawing_bytes
from gan.release.recipe import Block, Recipe
from tasks.generate.here import Here
from tasks.generate.packed import Packed

_LEAST_SECONDS = 5.0  # of drawing: a process takes two or three to start
_PROCESS_BYTES = 2**29  # before it draws


class InProcesses:
    """Draws on the cores of this machine.

    Args:
        here: draws in this process, on the CPU.
        content: the program's file.
        least_seconds: of drawing in this process, from which on others are started.
    """

    def __init__(self, here: Here, content: bytes, least_seconds: float = _LEAST_SECONDS) -> None:
        self.here = here
        self.content = content
        self.least_seconds = least_seconds

    def draw(
        self, recipe: Recipe, blocks: Iterable[Block], on_rows: Callable[[int], None], rows: int
    ) -> Generator[Packed]:
        """As `Drawer.draw`, in the order in which they are done."""
        # What finds duplicates holds the fingerprints of earlier releases, and is this process's alone.
        lent = replace(recipe, selection=replace(recipe.selection, duplicates=None))
        count = self._count(lent, rows)
        if count < 2:
            yield from self.here.draw(recipe, blocks, on_rows, rows)
            return
        alone = Here(self.here.program, self.here.device, threads=1)
        with _Crew(count - 1, (self.content, lent), blocks, on_rows) as crew:
            with closing(alone.draw(recipe, crew.blocks(), on_rows, rows)) as parcels:
                for parcel in parcels:
                    yield parcel
                    yield from crew.done()
            yield from crew.parcels()

    def _count(self, recipe: Recipe, rows: int) -> int:
        """How many processes, this one among them, are worth their start and have room."""
        count = min(cores(), rows // recipe.batch_size)
        if count < 2:
            return count
        artist = Artist(self.here.program, recipe, threads=1)
        if artist.seconds_of_batch() * rows / recipe.batch_size / count < self.least_seconds:
            return 1
        each = _PROCESS_BYTES + 2 * bytes_of(recipe) + drawing_bytes(recipe, artist.shape)
        return min(count, free_host_bytes() // 2 // each)


class _Crew:
    """Processes that take blocks as soon as each is ready; a context, with which they end.

    Args:
        count: how many.
        given: the program's file and the recipe.
        blocks: one is taken whenever one is to be drawn.
        on_rows: called from several threads with how many more rows are drawn.
    """

    def __init__(
        self, count: int, given: tuple[bytes, Recipe], blocks: Iterable[Block], on_rows: Callable[[int], None]
    ) -> None:
        self._given = given
        self._blocks, self._taking = iter(blocks), Lock()
        self._spent, self._lent = False, 0
        self._on_rows = on_rows
        self._done: Queue[Packed | Exception | None] = Queue(2 * count)  # so that they wait for who writes
        self._children = [Child("tasks.generate.draw_worker") for _ in range(count)]
        self._threads = [Thread(target=self._serve, args=(each,), daemon=True) for each in self._children]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in self._children:
            child.end()
        while any(thread.is_alive() for thread in self._threads):
            with suppress(Empty):
                self._done.get(timeout=0.05)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks for who draws beside them."""
        while (block := self._next()) is not None:
            yield block

    def done(self) -> Iterator[Packed]:
        """Yield what the processes have drawn so far.

        Raises:
            ResourcesError: one of them was killed.
        """
        while not self._done.empty():
            yield from self._taken()

    def parcels(self) -> Iterator[Packed]:
        """Yield what the processes still draw, as it comes.

        Raises:
            ResourcesError: one of them was killed.
        """
        while not self._is_done():
            yield from self._taken()

    def _taken(self) -> Iterator[Packed]:
        found = self._done.get()
        if isinstance(found, Exception):
            raise found
        if found is not None:
            with self._taking:
                self._lent -= 1
            yield found

    def _is_done(self) -> bool:
        """Whether nothing is left; processes may still be starting, for which nobody need wait then."""
        with self._taking:
            return self._spent and not self._lent

    def _next(self, lent: int = 0) -> Block | None:
        with self._taking:
            block = next(self._blocks, None)
            self._spent = block is None
            self._lent += lent * (not self._spent)
            return block

    def _serve(self, child: Child) -> None:
        try:
            child.send(self._given)
            child.receive()
            while (block := self._next(lent=1)) is not None:
                child.send(block)
                while isinstance(told := child.receive(), int):
                    self._on_rows(told)
                self._done.put(told)
            self._done.put(None)  # for who may wait for a block that there is not
        except ChildKilledError:
            self._done.put(_killed())
        except Exception as error:
            self._done.put(error)


def _killed() -> ResourcesError:
    return ResourcesError(
        "a process that draws images was killed, most likely for want of memory: free some and give the command again, "
        "the shards that are done are kept"
    )
