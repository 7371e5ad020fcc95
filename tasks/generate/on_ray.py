"""A release drawn by Ray actors, on whichever nodes have GPUs or cores: each loads the program once.

Blocks and shards travel through Ray's object store, for a node need not see the driver's disk. What a block becomes
does not depend on who draws it, nor on how many do.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gan.release.recipe import Block, Recipe
from tasks.generate.packed import Packed, packed
from tasks.runtime.ray_cluster import as_sentence, ray_cluster
from tasks.runtime.settings import THREADS_WAIT, Settings

_AHEAD = 2  # blocks that each actor has: one to draw, and the next, so that it never waits
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
_WHAT = "draw the release"


@dataclass(frozen=True)
class Share:
    """What each actor gets.

    Attributes:
        actors: how many there are.
        cpus: cores of each.
        gpus: GPUs of each, 0 or 1.
    """

    actors: int
    cpus: int
    gpus: int


class OnRay:
    """Draws on the cluster at RAY_ADDRESS, or in several processes of this machine.

    Args:
        settings: say which.
        program: the exported program's file.
        workers: actors; None: one a GPU or, where there are none, one a node.
        on_warning: called with a sentence where fewer actors fit than were asked for.
    """

    def __init__(
        self,
        settings: Settings,
        program: bytes,
        workers: int | None = None,
        on_warning: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.settings = settings
        self.program = program
        self.workers = workers
        self.on_warning = on_warning

    def draw(
        self, recipe: Recipe, blocks: Iterable[Block], on_rows: Callable[[int], None], rows: int
    ) -> Generator[Packed]:
        """As `Drawer.draw`, in the order in which they are done."""
        with ray_cluster(self.settings, self.on_warning) as nodes:
            import ray
            from ray.exceptions import RayError

            share = shared_out(nodes, self.workers)
            if self.workers and share.actors < self.workers:
                self.on_warning(f"there is room for {share.actors} of {self.workers} workers, so as many draw")
            # What finds duplicates holds the fingerprints of earlier releases, and is the driver's alone.
            selection = replace(recipe.selection, duplicates=None)
            given = ray.put((self.program, replace(recipe, selection=selection)))
            actors = [_actor(share).remote([given], share.cpus, bool(share.gpus)) for _ in range(share.actors)]
            try:
                ready = self._started(actors)  # they have loaded the program: from here on images are made
                on_rows(0)
                yield from self._drawn(ready, iter(blocks), on_rows)
            except RayError as error:
                raise as_sentence(error, _WHAT) from None
            finally:
                for actor in actors:
                    ray.kill(actor)

    def _started(self, actors: Sequence[Any]) -> list[Any]:
        """Return those that have started: all, or where others fill the cluster, those that had room soon."""
        import ray

        asked = {actor.told.options(concurrency_group="tell").remote(): actor for actor in actors}
        done, waiting = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE_SECONDS)
        if waiting:
            self.on_warning(
                f"after {_PATIENCE_SECONDS:g} s {len(done)} of {len(asked)} workers have room on the Ray cluster: the "
                "release goes on without the others as soon as there is one"
            )
            done = done or ray.wait(list(asked), num_returns=1)[0]
        ray.get(done)
        return [asked[reference] for reference in done]

    def _drawn(
        self, actors: Sequence[Any], blocks: Iterator[Block], on_rows: Callable[[int], None]
    ) -> Generator[Packed]:
        import ray
        from ray.exceptions import RayActorError

        crew = [_Hand(actor) for actor in actors]
        given_back: list[Block] = []
        finished = told = 0
        while True:
            for hand in crew * _AHEAD:  # one block for each, then the next for each
                if len(hand.blocks) < _AHEAD:
                    block = given_back.pop() if given_back else next(blocks, None)
                    if block is not None:
                        hand.give(block)
            running = {reference: hand for hand in crew for reference in hand.blocks}
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK_SECONDS)
            for reference in done:
                hand = running[reference]
                try:
                    packed = ray.get(reference)
                except RayActorError:
                    if hand in crew:
                        crew.remove(hand)
                        given_back += hand.blocks.values()
                        if not crew:
                            raise
                        self.on_warning(f"a worker is gone, and the other {len(crew)} draw what it had")
                    continue
                rows = len(hand.blocks.pop(reference).pending)
                hand.finished += rows
                finished += rows
                yield packed
            _listen(crew)
            now = max(told, finished + sum(hand.under_way for hand in crew))
            on_rows(now - told)
            told = now


class _Hand:
    """An actor and what it has been given.

    Args:
        actor: of `Painter`.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.blocks: dict[Any, Block] = {}
        self.finished = self.told = 0

    def give(self, block: Block) -> None:
        self.blocks[self.actor.draw.options(concurrency_group="draw").remote(block)] = block

    @property
    def under_way(self) -> int:
        """Rows of the blocks that it has not handed back."""
        return max(0, min(self.told - self.finished, sum(len(block.pending) for block in self.blocks.values())))


def _listen(crew: Sequence[_Hand]) -> None:
    """Ask each how many rows it has drawn; who does not answer soon is asked again the next time."""
    import ray
    from ray.exceptions import RayActorError

    asked = {hand.actor.told.options(concurrency_group="tell").remote(): hand for hand in crew}
    for reference in ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_SECONDS)[0]:
        with suppress(RayActorError):  # which its blocks will tell
            asked[reference].told = ray.get(reference)


def shared_out(nodes: Sequence[dict[str, float]], workers: int | None) -> Share:
    """Share a cluster's GPUs or cores out.

    Args:
        nodes: the resources of each.
        workers: how many are wanted; None: one a GPU or, where there are none, one a node.
    """
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    cores = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
    if gpus:
        actors = min(workers or gpus, gpus)
        return Share(actors, max(1, min(sum(cores) // actors, 8)) if cores else 0, 1)
    actors = min(workers or len(cores), sum(cores)) or 1
    each = max((cpus for cpus in range(1, max(cores, default=1) + 1) if _fit(cores, cpus) >= actors), default=1)
    return Share(actors, each, 0)


def _fit(cores: Sequence[int], each: int) -> int:
    return sum(count // each for count in cores)


def _actor(share: Share) -> Any:
    import ray

    remote: Any = ray.remote  # of whose many forms none has a class with arguments
    hidden = {} if share.gpus else {"CUDA_VISIBLE_DEVICES": ""}
    return remote(
        num_cpus=share.cpus,
        num_gpus=share.gpus,
        concurrency_groups={"draw": 1, "tell": 1},
        runtime_env={"env_vars": THREADS_WAIT | hidden},
    )(Painter)


class Painter:
    """An actor that draws blocks.

    Args:
        given: a reference to the program's file and the recipe, which an actor that begins anew gets again.
        threads: that it may use.
        on_gpu: whether it has a GPU.
    """

    def __init__(self, given: Sequence[Any], threads: int, on_gpu: bool) -> None:
        import ray
        import torch

        from gan.generation.program_file import load_program_bytes
        from gan.release.blocks import Artist

        content, self.recipe = ray.get(given[0])
        device = torch.device("cuda" if on_gpu else "cpu")
        program = load_program_bytes(content, "the program", device, self.recipe.precision)
        self.artist = Artist(program, self.recipe, device=device, threads=threads).__enter__()
        self.rows = 0
        self._lock = threading.Lock()

    def draw(self, block: Block) -> Packed:
        """Draw a block and lay it into files."""
        return packed(self.artist.draw(block, self._count), self.recipe)

    def told(self) -> int:
        """Return the rows that this process has drawn."""
        return self.rows

    def _count(self, rows: int) -> None:
        with self._lock:
            self.rows += rows
