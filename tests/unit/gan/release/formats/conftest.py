"""A shard to write."""

import numpy as np
import pytest

from gan.release.formats.table import format_named
from gan.release.shard import Marks, Shard, pixel_digests

IMAGES = np.random.default_rng(0).integers(0, 256, (25, 8, 8, 3), dtype=np.uint8)
NAMES = ("cat", "a/b", "é")
MARKS = Marks(metadata={"about": "é"}, fields={"synthetic": True})


@pytest.fixture(params=[0, 1])
def shard_of(request):
    """Return a function that makes the shard of a format, of RGB and of grey images."""
    images = IMAGES[..., : 3 - 2 * request.param]

    def make(name, *, marks=MARKS, class_names=NAMES, rows=slice(0, 25), index=0, count=1):
        seeds = np.arange(2**62, 2**62 + 25)[rows]
        labels = np.arange(25)[rows] % 3 if class_names else np.full(25, -1)[rows]
        some = np.ascontiguousarray(images[rows])
        payloads = format_named(name).payloads(some, marks)
        shape = images.shape[1:]
        return some, Shard(index, count, shape, class_names, payloads, pixel_digests(some), seeds, labels, marks)

    return make


@pytest.fixture
def written(tmp_path):
    """Return a function that writes shards into a folder, as a release has them."""

    def write(name, *shards):
        form = format_named(name)
        folder = tmp_path / name
        for shard in shards:
            for path, data in form.files(shard):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        if form.INDEX_FILE:
            lines = b"".join(form.index_lines(shard) for shard in shards)
            (folder / form.INDEX_FILE).write_bytes(form.INDEX_HEADER + lines)
        return folder

    return write
