"""Images drawn again: equal, near, and those that the generator does not make."""

import numpy as np
import pytest
import torch
from fuzzing.releases import FIRST_SEED, MARK, NAMES, RUN, drawn, program, release
from hypothesis import given
from hypothesis import strategies as st

from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel
from tasks.verify.files import read_stated
from tasks.verify.images import Sampled
from tasks.verify.record import Findings
from tasks.verify.regenerate import CannotRegenerateError, _batches, regenerate, registered_program

MODEL = RegisteredModel(MARK.version, RUN, MARK.dataset_md5, NAMES, MARK.model)


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    folder = release(tmp_path_factory.mktemp("synthetic") / "v3-001")
    return read_stated((folder / "manifest.json").read_bytes())


def sample(count=25, **changes):
    images, labels, seeds = drawn(count)
    return [
        Sampled((True, row), row, int(changes.get("labels", labels)[row]), int(seeds[row]), images[row].copy())
        for row in range(count)
    ]


def test_what_the_generator_makes_is_equal(stated):
    findings = Findings()
    again = regenerate(MODEL, program(), stated, sample(), findings)
    assert findings.problems == []
    assert again.drawn == 25
    assert again.equal + again.near == 25
    assert again.equal >= 24  # the last one was drawn in a batch of one


def test_batches_have_the_size_of_the_manifest_and_rows_their_place(stated):
    seen = []

    def watched(rows):
        seen.append(rows)
        return program()(rows)

    regenerate(MODEL, watched, stated, [sample()[3], sample()[20]], Findings())
    (rows,) = seen
    assert rows.shape == (8, 2)
    assert rows[3].tolist() == [FIRST_SEED + 3, 0]
    assert rows[4].tolist() == [FIRST_SEED + 20, 2]


def test_one_grey_level_is_near_and_two_are_another_image(stated):
    images = sample(8)
    images[1].pixels[...] = np.where(images[1].pixels < 255, images[1].pixels + 1, 254)
    images[5].pixels[0, 0, 0] ^= 128
    findings = Findings()
    again = regenerate(MODEL, program(), stated, images, findings)
    assert (again.drawn, again.equal, again.near) == (8, 6, 1)
    (problem,) = findings.problems
    assert problem.kind == "generator"
    assert problem.sentence == (
        "1 of 8 images that were drawn again are not what gan-generator version 3 makes of their seed and label "
        "(row 5), by up to 128 grey levels"
    )


def test_images_drawn_in_bf16_may_differ_by_more_in_few_places(stated):
    reduced = stated.model_copy(update={"generation": stated.generation.model_copy(update={"precision": "bf16"})})
    images = sample(8)
    images[1].pixels[0, 0, 0] ^= 4
    images[5].pixels[...] ^= 4
    findings = Findings()
    again = regenerate(MODEL, program(), reduced, images, findings)
    assert (again.drawn, again.equal) == (8, 6)
    assert ("(row 5)" in findings.problems[0].sentence) == (again.near == 1)


def test_images_of_another_generator_or_label_are_told(stated):
    findings = Findings()
    again = regenerate(MODEL, program(seed=1), stated, sample(), findings)
    assert (again.drawn, again.equal + again.near < 3) == (25, True)
    assert findings.problems[0].kind == "generator"
    findings = Findings()
    regenerate(MODEL, program(), stated, sample(labels=np.roll(np.arange(25) % 3, 1)), findings)
    assert findings.problems[0].kind == "generator"


def test_labels_that_the_model_has_not_do_not_reach_the_graph(stated):
    findings = Findings()
    again = regenerate(MODEL, program(), stated, sample(labels=np.full(25, 99)), findings)
    assert again.drawn == 0
    assert findings.problems[0].sentence.startswith("rows with labels that gan-generator version 3 has not: 0, 1, 2")


def test_images_of_another_size_are_others(stated):
    findings = Findings()
    regenerate(MODEL, lambda rows: torch.zeros(len(rows), 9, 9, 1, dtype=torch.uint8), stated, sample(8), findings)
    assert "8 of 8 images" in findings.problems[0].sentence


@given(st.sets(st.integers(0, 10**9), max_size=50), st.integers(1, 20))
def test_every_image_gets_a_place_in_as_few_batches_as_may_be(rows, size):
    given_rows = [Sampled((True, row), row, 0, row, np.zeros((1, 1, 1), np.uint8)) for row in rows]
    batches = _batches(given_rows, size)
    assert sorted(each.row for batch in batches for each in batch.values()) == sorted(rows)
    assert all(0 <= place < size for batch in batches for place in batch)
    assert len(batches) == -(-len(rows) // size)


def test_without_a_registry_nothing_is_made(tmp_path, stated, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(CannotRegenerateError, match="there is no registry at"):
        registered_program(Settings(ganflow_home=tmp_path), stated)
    assert list(tmp_path.iterdir()) == []
