"""Every format: what is written is read back, by bytes that depend on nothing else."""

from typing import get_args

import numpy as np
import pytest

from gan.configuration.vocabulary import ReleaseFormat
from gan.errors import DatasetError
from gan.release.formats.table import format_named

FORMATS = get_args(ReleaseFormat)
every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
@pytest.mark.parametrize("class_names", [("cat", "a/b", "é"), ()])
def test_images_labels_and_seeds_come_back_in_order(shard_of, written, name, class_names):
    form = format_named(name)
    images, first = shard_of(name, class_names=class_names, rows=slice(0, 13), index=0, count=2)
    more, second = shard_of(name, class_names=class_names, rows=slice(13, 25), index=1, count=2)
    folder = written(name, first, second)
    rows = [row for path in form.shards(folder) for row in form.rows(path)]
    assert np.array_equal([form.pixels(row.payload, first.shape) for row in rows], np.concatenate([images, more]))
    assert [row.seed for row in rows] == [*first.seeds, *second.seeds]
    assert [row.label for row in rows] == [*first.labels, *second.labels]


@every_format
def test_payloads_are_had_from_a_shard_s_own_files(shard_of, written, name):
    form = format_named(name)
    _, shard = shard_of(name)
    folder = written(name, shard)
    assert list(form.stored(folder, [path for path, _ in form.files(shard)])) == list(shard.payloads)


@every_format
def test_equal_images_give_equal_bytes(shard_of, name):
    form = format_named(name)
    _, one = shard_of(name)
    _, two = shard_of(name)
    assert list(form.files(one)) == list(form.files(two))
    assert form.index_lines(one) == form.index_lines(two)


@every_format
def test_a_shard_that_is_cut_short_is_explained(shard_of, written, name):
    form = format_named(name)
    _, shard = shard_of(name)
    folder = written(name, shard)
    for path in form.shards(folder):
        whole = path.read_bytes()
        # Of a text, a number that is cut short is told by its sha256 alone.
        cuts = (0, 3, len(form.INDEX_HEADER) + 5) if form.INDEX_FILE else (0, 3, 600, len(whole) // 2)
        for kept in cuts:
            path.write_bytes(whole[:kept])
            with pytest.raises(DatasetError):
                list(form.rows(path))
        path.unlink()
    with pytest.raises(DatasetError, match=r"generate the release again|ganflow ingest"):
        form.shards(folder)
