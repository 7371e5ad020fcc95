"""Which images the steps of a training consumed, and whether each of them is in the final weights once."""

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HOOK = Path(__file__).with_name("hook")


@dataclass(frozen=True)
class Slice:
    """What one worker consumed in a step: images [first, last), and a digest of their rows and seeds."""

    first: int
    last: int
    drawn: int


class Ledger:
    """What the processes of one training wrote down.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What the command is given, beside the code that this process runs."""
        code = [str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(code), "DRILL_LEDGER": str(self.folder)}

    def steps(self) -> int:
        """How many lines there are: steps, those of each worker."""
        return sum(path.read_bytes().count(b"\n") for path in self.folder.iterdir())

    def newest_worker(self) -> int | None:
        """Process of the worker that began last and has taken a step."""
        written = [path for path in self.folder.iterdir() if path.stat().st_size]
        return (
            max((int(path.stem.split("-")[0]), int(path.stem.split("-")[1])) for path in written)[1]
            if written
            else None
        )

    def groups(self) -> list[list[Slice]]:
        """Each start of the workers, in order: its slices, of all its workers together."""
        found: dict[str, list[Slice]] = defaultdict(list)
        for path in sorted(self.folder.iterdir(), key=lambda each: int(each.stem.split("-")[0])):
            for line in path.read_text().splitlines():
                each = json.loads(line)
                found[each["group"]].append(Slice(each["first"], each["last"], each["drawn"]))
        return list(found.values())

    def what_counts(self, total: int) -> list[Slice]:
        """The slices whose steps are in the final weights, in the order of their images.

        The last start of the workers went from a checkpoint to the end; of those before it counts what lies before
        that checkpoint, and so on back to the beginning.
        """
        counted: list[Slice] = []
        needed = total
        for group in reversed(self.groups()):
            counted += [each for each in group if each.last <= needed]
            needed = min(needed, *(each.first for each in group))
        return sorted(counted, key=lambda each: each.first)

    def require_each_image_once(self, total: int) -> dict[str, int]:
        """Hold that every image from 0 to `total` counts once, and was the same whenever it was drawn.

        Returns:
            Figures: starts of the workers, slices consumed, slices that count.
        """
        counted = self.what_counts(total)
        borders = [0, *(each.last for each in counted)]
        assert [each.first for each in counted] == borders[:-1], "an image counts twice or is left out"
        assert borders[-1] == total
        consumed = [each for group in self.groups() for each in group]
        drawn: dict[tuple[int, int], set[int]] = defaultdict(set)
        for each in consumed:
            drawn[each.first, each.last].add(each.drawn)
        assert all(len(found) == 1 for found in drawn.values()), "other images, or seeds, when a step was taken again"
        return {"starts": len(self.groups()), "consumed": len(consumed), "count": len(counted)}
