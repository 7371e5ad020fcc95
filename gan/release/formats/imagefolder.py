"""An image folder: `train/<class>/<seed>.png`, and `train/metadata.csv`, which `datasets` reads beside the pictures.

It is there for people and for readers that take nothing else: a million files are slow to copy, hash and track.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from gan.data.store.dataset import UNLABELLED_NAME
from gan.errors import DatasetError
from gan.release.shard import Row, Shard, broken, png_payloads, png_pixels

_SPLIT = "train"
_COLUMNS = ("file_name", "label", "class", "seed")
INDEX_FILE = f"{_SPLIT}/metadata.csv"
INDEX_HEADER = (",".join(_COLUMNS) + "\n").encode()
payloads = png_payloads
pixels = png_pixels

_LONGEST = 60  # characters of a folder's name: file systems take 255 bytes
_MOST_IMAGE_BYTES = 2**30
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def folder_names(class_names: Sequence[str]) -> list[str]:
    """Return a folder's name for each class: the class's own, as far as every file system takes it, and no two alike.

    Args:
        class_names: by label, whatever they hold.
    """
    found: list[str] = []
    taken: set[str] = set()
    for label, class_name in enumerate(class_names):
        text = re.sub(r"[^\w .+-]", "_", unicodedata.normalize("NFC", class_name))[:_LONGEST].strip(" .")
        plain = f"class {label}" if not text or _RESERVED.fullmatch(text) else text
        name, number = plain, label
        while name.casefold() in taken:  # upper and lower case are one on some file systems
            name, number = f"{plain} {number}", number + 1
        taken.add(name.casefold())
        found.append(name)
    return found


def files(shard: Shard) -> Iterator[tuple[str, bytes]]:
    """Yield the pictures of a shard."""
    for path, payload in zip(_paths(shard), shard.payloads, strict=True):
        yield f"{_SPLIT}/{path}", payload


def index_lines(shard: Shard) -> bytes:
    """Return a line of `metadata.csv` for each picture."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, label, seed in zip(_paths(shard), shard.labels.tolist(), shard.seeds.tolist(), strict=True):
        writer.writerow([path, label, shard.class_names[label] if label >= 0 else "", seed])
    return text.getvalue().encode()


def stored(folder: Path, files: Iterable[str]) -> Iterator[bytes]:
    """As `Format.stored`."""
    return ((folder / file).read_bytes() for file in files)


def shards(folder: Path) -> list[Path]:
    """Return the one file that names all pictures.

    Raises:
        DatasetError: it is not there.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise DatasetError(f"{folder} has no {INDEX_FILE}: generate the release again")
    return [path]


def rows(path: Path) -> Iterator[Row]:
    """Yield the pictures that `metadata.csv` names.

    Raises:
        DatasetError: it is broken, or a picture is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)
            if tuple(next(lines, ())) != _COLUMNS:
                raise ValueError("its columns are others")
            for name, label, _, seed in lines:
                inside = PurePosixPath(name)
                if len(inside.parts) != 2 or inside.is_absolute() or ".." in inside.parts:
                    raise ValueError("it names a file elsewhere")
                picture = path.parent / inside
                if picture.stat().st_size > _MOST_IMAGE_BYTES:
                    raise ValueError("it names a file that is no picture")
                yield Row(picture.read_bytes(), int(seed), int(label), file=picture)
    except (OSError, ValueError, csv.Error) as error:
        raise broken(path, error) from None


def _paths(shard: Shard) -> Iterator[str]:
    folders = folder_names(shard.class_names)
    for label, seed in zip(shard.labels.tolist(), shard.seeds.tolist(), strict=True):
        yield f"{folders[label] if label >= 0 else UNLABELLED_NAME}/{seed:019d}.png"
