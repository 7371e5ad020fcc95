"""Every image of a release, decoded: whether its pixels, mark and label are those that stand beside it."""

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gan.data.store.dataset import MANIFEST
from gan.errors import DatasetError
from gan.keyed_random import MASK32, Purpose, threefry2x32
from gan.release.xmp import CREATOR_TOOL, SOURCE_TYPE, TRAINED_ALGORITHMIC_MEDIA, SourceMark
from gan.text.shown import reason_of
from tasks.verify.record import Findings, Stated, some
from tasks.verify.rows import ReleasedRow, mark_of, pixels_of, row_files, rows

Images = NDArray[np.uint8]
_KEYS = 2**12  # drawn at once
_MARK_BYTES = 2**12


@dataclass(order=True, frozen=True)
class Sampled:
    """An image that is to be drawn again; the lower of two goes first.

    Attributes:
        key: whether its file is as it was made, and the draw.
        row: among all images of the release.
        label: its class, or -1.
        seed: that it was drawn from.
        pixels: [H, W, C].
    """

    key: tuple[bool, int]
    row: int
    label: int = field(compare=False)
    seed: int = field(compare=False)
    pixels: Images = field(compare=False)


@dataclass
class ImagesLooked:
    """What was found of the images: how many there are, how many carry the mark, and those to draw again."""

    images: int = 0
    marked: int = 0
    sample: list[Sampled] = field(default_factory=list)


def verify_images(
    folder: Path,
    stated: Stated,
    changed: set[str],
    findings: Findings,
    *,
    seed: int,
    sample: int,
    on_progress: Callable[[int], None] = lambda done: None,
) -> ImagesLooked:
    """Decode every image; those to be drawn again come first from files that changed, else by a keyed draw.

    Args:
        folder: of the release.
        stated: what its manifest says.
        changed: files that are not as that says.
        findings: where to say what is wrong.
        seed: of the draw, 0 to 2**63 - 1.
        sample: how many to draw again.
        on_progress: called with the images done.
    """
    looked, judge = ImagesLooked(), _Judge(stated)
    keys = _keys(seed)
    chosen: list[tuple[tuple[bool, int], Sampled]] = []  # a heap: the highest is on top
    whole = True
    for name in row_files(stated):
        whole = whole and (folder / name).is_file()
        for row in _readable(folder, name, stated, findings):
            if row is None:
                whole = False
                break
            key = (row.file not in changed, next(keys))
            pixels = judge.look(row, looked.images)
            if pixels is not None and sample:
                entry = ((not key[0], -key[1]), Sampled(key, looked.images, row.label, row.seed, pixels))
                if len(chosen) < sample:
                    heapq.heappush(chosen, entry)
                elif entry[0] > chosen[0][0]:
                    heapq.heapreplace(chosen, entry)
            looked.images += 1
            if looked.images % _KEYS == 0:
                on_progress(looked.images)
    judge.tell(findings, looked.images, whole=whole)
    looked.marked = judge.marked
    looked.sample = sorted(each for _, each in chosen)
    on_progress(looked.images)
    return looked


class _Judge:
    """Collects the rows that are wrong, by what is wrong with them."""

    def __init__(self, stated: Stated) -> None:
        self.stated = stated
        self.marked = 0
        self.labels: Counter[int] = Counter()
        self.wrong: dict[str, list[int]] = {
            each: [] for each in ("broken", "pixels", "no mark", "other mark", "broken mark")
        }
        said = stated.marks or {}
        self._expected = SourceMark(said.get(SOURCE_TYPE, TRAINED_ALGORITHMIC_MEDIA), said.get(CREATOR_TOOL))
        self._beginning = b""  # of the last file whose mark was read and right: the next is likely to begin so, too

    def look(self, row: ReleasedRow, index: int) -> Images | None:
        """Note what is wrong with a row; returns its pixels unless they cannot be decoded."""
        self.labels[row.label] += 1
        self._look_at_mark(row, index)
        try:
            pixels = pixels_of(row, self.stated)
        except ValueError:
            self.wrong["broken"].append(index)
            return None
        if row.digest is not None and hashlib.sha256(pixels.tobytes()).hexdigest() != row.digest:
            self.wrong["pixels"].append(index)
        return pixels

    def _look_at_mark(self, row: ReleasedRow, index: int) -> None:
        png = row.payload
        if self._beginning and png.startswith(self._beginning):
            self.marked += 1
            return
        try:
            found = mark_of(row, self.stated)
        except ValueError:
            self.wrong["broken mark"].append(index)
            return
        if found is None:
            self.wrong["no mark"].append(index)
        elif self.stated.marks is not None and found != self._expected:
            self.wrong["other mark"].append(index)
        else:
            self.marked += 1
            end = png.find(b"IDAT", 0, _MARK_BYTES) - 4
            # The packet, of which there is one, and its checksum stand before the pixels.
            self._beginning = png[:end] if png.find(b"iTXtXML:com.adobe.xmp", 0, max(end, 0)) > 0 else b""

    def tell(self, findings: Findings, images: int, *, whole: bool) -> None:
        """Say what is wrong; images are counted where all files could be read."""
        told = self.wrong
        if told["broken"]:
            findings.wrong("pixels", f"{_are(told['broken'])} no image of the release's size")
        if told["pixels"]:
            findings.wrong("pixels", f"{_are(told['pixels'])} not as made: the pixels are not those of their sha256")
        self._tell_of_marks(findings, images)
        generation = self.stated.generation
        by_class = list(self.stated.counts.values())
        labelled = [self.labels[label] for label in range(len(by_class))]
        if not whole:
            return
        if images != generation.num_images:
            findings.wrong("rows", f"{MANIFEST} says {generation.num_images} images, and there are {images}")
        elif by_class not in (labelled, [self.labels[-1]]) or sum(by_class) != images:
            findings.wrong("rows", f"{MANIFEST} counts other images of each class than there are")

    def _tell_of_marks(self, findings: Findings, images: int) -> None:
        told = self.wrong
        if self.stated.marks is None:
            if self.marked < images:
                findings.note(
                    f"{images - self.marked} of {images} images carry no mark, and {MANIFEST} promises none: "
                    "the release is of before there were marks"
                )
            return
        if self._expected.source_type != TRAINED_ALGORITHMIC_MEDIA:
            findings.wrong("mark", f"{MANIFEST} marks its images as {self._expected.source_type}, and not as synthetic")
        if told["no mark"]:
            findings.wrong("mark", f"{_are(told['no mark'])} without the mark that says it is synthetic")
        if told["other mark"]:
            findings.wrong("mark", f"{_are(told['other mark'])} marked as something else than {MANIFEST} says")
        if told["broken mark"]:
            findings.wrong("mark", f"{_are(told['broken mark'])} with a mark that cannot be read")


def _are(indices: list[int]) -> str:
    return f"{len(indices)} images (row {some(indices)}) are" if len(indices) > 1 else f"1 image (row {indices[0]}) is"


def _readable(folder: Path, name: str, stated: Stated, findings: Findings) -> Iterator[ReleasedRow | None]:
    """The rows of a file, and None in place of those that cannot be read."""
    if not (folder / name).is_file():
        return  # told as missing
    try:
        yield from rows(folder, name, stated)
    except DatasetError as error:
        findings.wrong("rows", reason_of(error))
        yield None


def _keys(seed: int) -> Iterator[int]:
    """A number for each row, in [0, 2**63): those with the lowest are a fair draw, however many rows there are."""
    key = (torch.tensor(seed & MASK32), torch.tensor(seed >> 32 & MASK32))
    purpose = int(Purpose.ORDER) << 28
    for start in itertools.count(step=_KEYS):
        places = torch.arange(start, start + _KEYS, dtype=torch.int64)
        low, high = threefry2x32(key, (places & MASK32, places >> 32 | purpose))
        yield from ((high >> 1) << 32 | low).tolist()
