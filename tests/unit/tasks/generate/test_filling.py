"""A release filled: in any order, over any number of commands, with duplicates drawn again, the bytes are the same."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from gan.errors import ReleaseError
from gan.release.recipe import Recipe, Selection
from gan.release.rows import row_labels, shard_starts
from tasks.generate import filling
from tasks.generate.filling import Filling
from tasks.generate.here import Here
from tasks.generate.partial import partial_release
from tasks.runtime.settings import Settings

SHAPE = (8, 8, 3)
QUOTAS = [20, 13, 17]
STARTS = shard_starts(50, 10)
LABELS = row_labels(1000, QUOTAS)
RECIPE = Recipe(50, 1000, 8, ("a", "b", "c"), len(STARTS) - 1)


def told(rows):
    """Images that hold their label, and a number in which one of seven seeds is equal to that of a neighbour."""
    seeds, labels = rows.T
    images = torch.zeros(len(rows), *SHAPE, dtype=torch.uint8)
    images[:, 0, 0, 0] = labels
    images[:, 0, 0, 1] = torch.where(seeds % 7 == 0, seeds + 1, seeds) % 251
    images[:, 0, 0, 2] = torch.where(seeds % 7 == 0, seeds + 1, seeds) // 251 % 256
    return images


def fingerprint(images):
    return images[:, 0, 0, 1].astype(np.uint64) * 256 + images[:, 0, 0, 2]


def later_ones(prints, again):
    _, first = np.unique(prints, return_index=True)
    return sorted(set(range(len(prints))) - set(first.tolist()))


UNIQUE = replace(RECIPE, max_attempts=20, selection=Selection({}, None, fingerprint, later_ones))


class Reversed:
    """Draws blocks in another order."""

    def draw(self, recipe, blocks, on_rows, rows):
        return Here(told).draw(recipe, reversed(list(blocks)), on_rows, rows)


class Killed:
    """Draws a few blocks, then fails."""

    def __init__(self, count):
        self.left = count

    def draw(self, recipe, blocks, on_rows, rows):
        for packed in Here(told).draw(recipe, blocks, on_rows, rows):
            if not self.left:
                raise RuntimeError("killed")
            self.left -= 1
            yield packed


def filled(home, recipe=RECIPE, drawer=None, digests=(), done=None):
    """Fill a release; return its files by path with their sha256."""
    settings = Settings(ganflow_home=home)
    with partial_release(settings, "r", {}, recipe.shards) as partial:
        made = Filling(partial, recipe, SHAPE, LABELS, STARTS, drawer or Here(told))
        made.draw(digests, (done if done is not None else []).append)
        files = made.finish("# card")
        found = {
            path.relative_to(partial.files).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in partial.files.rglob("*")
            if path.is_file()
        }
        assert files == found
        return files, made.records


@pytest.mark.parametrize("form", ["parquet", "webdataset", "imagefolder", "npz"])
@pytest.mark.parametrize("recipe", [RECIPE, UNIQUE])
def test_the_order_of_blocks_changes_no_byte(tmp_path, form, recipe):
    recipe = replace(recipe, format=form)
    files, _ = filled(tmp_path / "one", recipe)
    assert files == filled(tmp_path / "two", recipe, Reversed())[0]
    assert {"README.md", "samples.png"} < set(files)


@pytest.mark.parametrize("recipe", [RECIPE, UNIQUE])
def test_nor_do_commands_that_end_before_they_are_done(tmp_path, recipe):
    wanted, _ = filled(tmp_path / "one", recipe)
    for count in (0, 2, 0):
        with pytest.raises(RuntimeError, match="killed"):
            filled(tmp_path / "two", recipe, Killed(count))
    files, kills = None, 0
    while files is None:
        try:
            files, _ = filled(tmp_path / "two", recipe, Killed(1))
        except RuntimeError:
            kills += 1
    assert files == wanted
    assert kills >= (2 if recipe is RECIPE else 4)


def test_no_two_rows_of_a_release_without_duplicates_are_alike(tmp_path):
    files, records = filled(tmp_path, UNIQUE)
    prints = np.concatenate([record.fingerprints for record in records])
    assert len(np.unique(prints)) == 50
    attempts = np.concatenate([record.attempts for record in records])
    assert attempts.max() >= 1
    rejected = sum(sum(record.rejected.get("duplicate", {}).values()) for record in records)
    assert rejected == attempts.sum()
    assert sum(sum(record.asked.values()) for record in records) == 50 + rejected
    assert files != filled(tmp_path / "other", RECIPE)[0]


def test_after_the_first_search_only_what_was_drawn_again_is_looked_at(tmp_path):
    found, asked = [[]], []

    def watched(prints, again):
        asked.append(again if again is None else again.tolist())
        found.append(later_ones(prints, again))
        return found[-1]

    recipe = replace(UNIQUE, selection=replace(UNIQUE.selection, duplicates=watched))
    filled(tmp_path, recipe)
    assert asked[0] is None
    assert asked[1:] == found[1:-1] != []


def test_duplicates_without_end_are_an_error(tmp_path):
    always = replace(UNIQUE, max_attempts=3, selection=Selection({}, None, fingerprint, lambda prints, again: [7]))
    with pytest.raises(ReleaseError, match="rejected 3 times, mostly as duplicate"):
        filled(tmp_path, always)


def test_a_generator_that_hardly_varies_is_given_up_after_a_round(tmp_path, monkeypatch):
    """And again by the same command; where fewer repeat each time it goes on."""
    monkeypatch.setattr(filling, "_MANY", 10)
    rounds = []

    def most_repeat(prints, again):
        rounds.append(again)
        return range(5, 25) if again is None else range(5, 24)

    still = replace(UNIQUE, selection=Selection({}, None, fingerprint, most_repeat))
    for _ in range(2):
        with pytest.raises(ReleaseError, match=r"of 20 images .*, 19 still do .*, most of class «[abc]»: "):
            filled(tmp_path / "still", still)
    assert len(rounds) == 3  # two searches, and one of the second command
    ends = iter([range(5, 25), range(5, 24), []])
    endless = replace(still.selection, duplicates=lambda prints, again: next(ends))
    patient = replace(still, max_attempts=1000, selection=endless)  # so many attempts may do
    filled(tmp_path / "patient", patient)
    fewer = iter([range(40), range(30), range(20), range(17), range(9), range(9), []])
    less = replace(UNIQUE, selection=Selection({}, None, fingerprint, lambda prints, again: next(fewer)))
    filled(tmp_path / "less", less)


def test_copies_of_training_images_are_counted_by_shard(tmp_path):
    (image,) = told(torch.tensor([[1000 + 12, LABELS[12]]])).numpy()
    digests = frozenset([hashlib.sha256(image.tobytes()).hexdigest(), "0" * 64])
    assert [record.copies for record in filled(tmp_path, digests=digests)[1]] == [0, 1, 0, 0, 0]


def test_progress_begins_with_what_is_there_and_ends_with_all(tmp_path):
    done = []
    filled(tmp_path, done=done)
    assert (done[0], done[-1]) == (0, 50)
    again = []
    filled(tmp_path, done=again)
    assert again == [50]
