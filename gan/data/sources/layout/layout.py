"""What became of reading the folders of a source: a place for each folder that holds images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gan.data.records import SplitName

BESIDE_SPLITS = "lies beside the folders of the splits"
ASIDE = "lies beside the folder that holds the rest"
BESIDE_CLASSES = "lies beside the class folders, so has no class"


class Place(NamedTuple):
    """What the images that lie directly in a folder are.

    Attributes:
        split: which split they belong to, or None where the source has none.
        class_name: their class, or None where they have none.
        reject: why they cannot be used, though they were expected to be; or nothing.
        left_out: what they are instead of images of the dataset; or nothing.
    """

    split: SplitName | None = None
    class_name: str | None = None
    reject: str = ""
    left_out: str = ""


@dataclass(frozen=True)
class Layout:
    """How the folders of a source are to be read.

    Attributes:
        root: the folder around everything, with a slash behind it, or nothing.
        places: each folder that holds images, by its path from the top of the source.
        class_names: in order; empty where folders are no classes.
        has_split: whether folders say what is held out.
        notes: what a person should know of the reading.
        flat: folders of a split without classes beside one with them; their images are left out unless a file beside
            them has labels.
    """

    root: str
    places: Mapping[str, Place]
    class_names: tuple[str, ...] = ()
    has_split: bool = False
    notes: tuple[str, ...] = ()
    flat: Mapping[str, SplitName] = field(default_factory=dict)
