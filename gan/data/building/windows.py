"""How a dataset's images of more than 8 bits are shown: as in the version before, else by all that they hold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gan.configuration.config import DataConfig
from gan.configuration.window import parse_window
from gan.data.building.part_store import PartStore
from gan.data.pixels.window import Bounds, Seen, Windows, auto_window, find_windows, read_seen
from gan.data.records import Source
from gan.data.store.dataset import read_dataset_info
from gan.errors import DatasetError

_FAR = 1 / 8  # of a window's width: values so far beyond it are another sort of images
_FEW = 0.05  # of the images
_LITTLE = 1 / 8  # of a window
_EXACT = 2**53  # up to it floats are whole numbers one by one


def standing_windows(source: Source, config: DataConfig, previous: Path | None) -> Windows:
    """Return what the version before says of the same source, asked for in the same way.

    So new files change no image that is there: whatever follows from the values of all would move with each of them.
    """
    asked = parse_window(config.window)
    try:
        info = read_dataset_info(previous) if previous and asked.from_data else None
    except DatasetError:
        info = None  # ingesting is how a missing or broken dataset is mended
    if info is None or (info.name, info.source_kind, info.window) != (source.name, source.kind, config.window):
        return Windows(asked)
    return Windows(asked).with_found(info.windows or {})


def with_missing(windows: Windows, store: PartStore) -> tuple[Windows, set[int]]:
    """Find the windows that images wait for; return all windows, and the numbers of the jobs with such images."""
    waiting = set()

    def those() -> Iterator[Seen]:
        for job, packed in store.filled("seen"):
            if windows.waits(seen := read_seen(packed)):
                waiting.add(job)
                yield seen

    found = find_windows(those(), windows.asked)
    return windows.with_found(found), waiting


@dataclass
class Shown:
    """The images of one group and how they are shown.

    Attributes:
        group: `unsigned`, `signed` or `float`.
        bits: of each value, the most that there are.
        window: the values that become 0 and 255.
        low: the lowest value of all.
        high: the highest.
        count: how many images there are.
        beyond: how many have values beyond the window.
        far: how many have values far beyond it.
    """

    group: str
    bits: int
    window: Bounds
    low: float
    high: float
    count: int = 0
    beyond: int = 0
    far: int = 0

    def add(self, seen: Seen) -> None:
        """Count one more image."""
        self.low, self.high = min(self.low, seen.low), max(self.high, seen.high)
        self.count += 1
        first, last = self.window
        margin = _FAR * (last - first)
        self.beyond += seen.low < first or seen.high > last
        self.far += seen.low < first - margin or seen.high > last + margin

    @property
    def name(self) -> str:
        """What its images are called."""
        return name_of_kind(self.group, self.bits)

    @property
    def wider(self) -> str:
        """The window that would be found without the version before, as `data.window` is given."""
        return _setting(auto_window(self.group, self.low, self.high))

    @property
    def is_little(self) -> bool:
        """Whether so little of the window is in use that the images are of nearly one colour."""
        first, last = self.window
        return min(self.high, last) - max(self.low, first) < _LITTLE * (last - first)


@dataclass(frozen=True)
class Overview:
    """All images of more than 8 bits: those that share a window by group, and how many have one of their own."""

    groups: tuple[Shown, ...]
    own: int

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.groups or self.own)

    def windows(self) -> dict[str, Bounds]:
        """Return the window of each group, whole numbers as such."""
        return {each.group: tuple(map(_plain, each.window)) for each in self.groups}  # type: ignore[misc]


def look_over(windows: Windows, store: PartStore) -> Overview:
    """Look at the values of all images once each has its window."""
    groups: dict[str, Shown] = {}
    own = 0
    for _, packed in store.filled("seen"):
        seen = read_seen(packed)
        if windows.own(seen):
            own += 1
            continue
        shown = groups.get(seen.group)
        if shown is None or seen.bits > shown.bits:  # `full` depends on them
            window = windows.of_group(seen.group, seen.bits)
            before = shown or Shown(seen.group, seen.bits, window, seen.low, seen.high)
            shown = groups[seen.group] = replace(before, bits=seen.bits, window=window)
        shown.add(seen)
    return Overview(tuple(groups[group] for group in sorted(groups)), own)


def refuse_far(overview: Overview, standing: Windows) -> None:
    """Refuse where the window of the version before would spoil new images.

    Raises:
        DatasetError: many have values far beyond it, so that either they or those that are there have to change.
    """
    for shown in overview.groups:
        if standing.asked.kind == "auto" and standing.has(shown.group) and shown.far > _FEW * shown.count:
            raise DatasetError(
                f"{shown.far} of {shown.count} {shown.name} have values far beyond {text(shown.window)}, which the "
                f"version before shows as 0 to 255: give data.window={shown.wider} to show all, which changes the "
                f"images that are there, or data.window={_setting(shown.window)} to leave them as they are"
            )


def window_notes(overview: Overview, standing: Windows, config: DataConfig) -> list[str]:
    """Return what a person should know of how images are shown."""
    notes = []
    for shown in overview.groups:
        stands = " as in the version before" if standing.has(shown.group) else ""
        notes.append(
            f"{shown.name}: values {text(shown.window)} shown as 0 to 255{stands} (data.window={config.window})"
        )
        if stands and standing.asked.kind == "auto" and shown.beyond:
            notes.append(
                f"{shown.beyond} of {shown.count} {shown.name} have values beyond that, which became 0 or 255: "
                f"data.window={shown.wider} would show them, and change all"
            )
        if shown.is_little:
            notes.append(
                f"{shown.name} have values {text((shown.low, shown.high))} alone, less than an eighth of what is "
                "shown, so they are of nearly one colour: a narrower data.window shows more"
            )
    if overview.own:
        notes.append(f"{overview.own} images are shown by the window that each file has (data.window=auto)")
    return notes


def name_of_kind(group: str, bits: int) -> str:
    """Return what images of a group are called: `16-bit images`, `32-bit floating point images`."""
    kind = {"unsigned": "{}-bit", "signed": "signed {}-bit", "float": "{}-bit floating point"}[group]
    return f"{kind.format(bits)} images"


def text(bounds: Bounds) -> str:
    """Return two values in words."""
    low, high = map(_plain, bounds)
    return f"{low:.6g} to {high:.6g}" if isinstance(low, float) or isinstance(high, float) else f"{low} to {high}"


def _setting(bounds: Bounds) -> str:
    return ":".join(repr(_plain(value)) for value in bounds)


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < _EXACT else value
