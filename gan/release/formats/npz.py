"""NumPy's archives: `images`, `labels` and `seeds` of a shard in one `.npz`, without pickle, times or compression."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gan.data.store.shards import shard_name, shard_paths
from gan.release.shard import Images, Marks, Row, Shard, broken, no_lines

INDEX_FILE = None
INDEX_HEADER = b""
index_lines = no_lines

_SUFFIX = "npz"
_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip knows
_MOST_HEADER = 1000


def payloads(images: Images, marks: Marks) -> list[bytes]:
    """Return the pixels as they are; a mark has no place among them."""
    return [image.tobytes() for image in images]


def pixels(payload: bytes, shape: tuple[int, int, int]) -> Images:
    """Return the image [H, W, C].

    Raises:
        ValueError: it has another number of pixels.
    """
    return np.frombuffer(payload, np.uint8).reshape(shape)


def files(shard: Shard) -> Iterator[tuple[str, bytes]]:
    """Yield the one file of a shard; texts about it stand in an array `metadata` of one JSON text."""
    size = (len(shard.payloads), *shard.shape)
    arrays = {"images": _head(size, np.dtype(np.uint8)) + b"".join(shard.payloads)}
    arrays |= {"labels": _saved(shard.labels), "seeds": _saved(shard.seeds)}
    if shard.marks.metadata:
        arrays["metadata"] = _saved(np.array(json.dumps(dict(shard.marks.metadata), sort_keys=True)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=_DAY)
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Linux, whatever this is
            archive.writestr(info, content)
    yield shard_name("train", shard.index, shard.count, _SUFFIX), file.getvalue()


def stored(folder: Path, files: Iterable[str]) -> Iterator[bytes]:
    """As `Format.stored`."""
    return (row.payload for file in files for row in rows(folder / file))


def shards(folder: Path) -> list[Path]:
    """Return the files.

    Raises:
        DatasetError: there are none, or one is missing.
    """
    return shard_paths(folder, "train", _SUFFIX)


def rows(path: Path) -> Iterator[Row]:
    """Yield the images of one file.

    Raises:
        DatasetError: it is broken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            images, labels, seeds = (_loaded(archive, name) for name in ("images", "labels", "seeds"))
        numbers = labels.dtype == seeds.dtype == np.int64 and labels.shape == seeds.shape == images.shape[:1]
        if not numbers or images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError("its arrays are not those of a release")
    except (OSError, ValueError, LookupError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise broken(path, error) from None
    for image, seed, label in zip(images, seeds.tolist(), labels.tolist(), strict=True):
        yield Row(image.tobytes(), seed, label)


def _head(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    head = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)
    return head.getvalue()


def _saved(array: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _loaded(archive: zipfile.ZipFile, name: str) -> npt.NDArray[np.generic]:
    """Read an array, which `numpy.load` would make room for before it knows that it is there."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed")
    content = archive.read(info)
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_MOST_HEADER)
    if fortran or dtype.hasobject or any(side < 0 for side in shape):
        raise ValueError("an array is none of a release")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
