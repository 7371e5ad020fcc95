"""Which images are drawn again, and that none is left out of the look."""

import itertools
from collections import Counter

import pytest
from fuzzing.releases import release

from tasks.verify.files import read_stated
from tasks.verify.images import _keys, verify_images
from tasks.verify.record import Findings

FIRST, SECOND = "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return release(tmp_path_factory.mktemp("synthetic") / "v3-001")


def look(folder, *, changed=(), seed=7, sample=5):
    findings = Findings()
    stated = read_stated((folder / "manifest.json").read_bytes())
    looked = verify_images(folder, stated, set(changed), findings, seed=seed, sample=sample)
    assert findings.problems == []
    assert looked.images == looked.marked == 25
    return [each.row for each in looked.sample]


def test_a_sample_is_a_keyed_draw(folder):
    assert look(folder) == look(folder)
    assert look(folder, sample=3) == look(folder, sample=5)[:3]
    assert len(set(look(folder))) == 5
    assert look(folder, sample=0) == []
    assert sorted(look(folder, sample=25)) == sorted(look(folder, sample=1000)) == list(range(25))


def test_every_row_is_as_likely_as_any_other(folder):
    counts = Counter(itertools.chain.from_iterable(look(folder, seed=seed) for seed in range(300)))
    assert len(counts) == 25
    assert max(counts.values()) < 2 * min(counts.values())  # 60 of each expected, deviation 7


def test_images_of_changed_files_go_first(folder):
    assert set(look(folder, changed=[SECOND], sample=13)) == set(range(12, 25))
    assert set(look(folder, changed=[FIRST], sample=12)) == set(range(12))


def test_the_keys_are_frozen_and_go_on():
    # Whoever verifies later draws the same images.
    assert list(itertools.islice(_keys(2**63 - 1), 2)) == [4800640195553846085, 4614849486341709786]
    assert len(set(itertools.islice(_keys(1), 10_000))) == 10_000
