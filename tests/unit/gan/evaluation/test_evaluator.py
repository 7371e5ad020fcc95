"""One evaluation from images to the record, with a network whose features are pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.configuration.config import EvaluationConfig
from gan.data.store.resident import Resident
from gan.errors import ConfigError, InputError
from gan.evaluation.evaluator import Evaluator, paired_labels
from gan.evaluation.real import RealFeatures, RealImages
from gan.metrics.evaluation import Evaluation, deciding_key

from .conftest import Counting, noise

Make = Callable[..., Evaluator]


@pytest.fixture
def make(real: RealImages, extraction: Counting, tmp_path: Path) -> Make:
    def evaluator(data: RealImages = real, with_network: Counting = extraction, **changes: Any) -> Evaluator:
        config = EvaluationConfig(**{"num_images": 40, "copy_images": 50, "seed": 1000} | changes)
        features = RealFeatures(data, with_network, tmp_path, config.seed)
        return Evaluator(config, real=data, features=features)

    return evaluator


def program(rows: Tensor) -> Tensor:
    """Noise that follows from the seed."""
    images = [noise(1, int(seed))[0] for seed in rows[:, 0]]
    return torch.from_numpy(np.stack(images))


def test_paired_labels_have_the_references_shares() -> None:
    labels = np.array([0, 2, 2, 1])
    assert paired_labels(labels, 4).tolist() == [0, 2, 2, 1]
    assert paired_labels(labels, 2).tolist() == [0, 2]
    assert np.bincount(paired_labels(labels, 400)).tolist() == [100, 100, 200]
    assert paired_labels(np.full(3, -1), 5).tolist() == [-1] * 5


def test_everything_is_scored(make: Make) -> None:
    """Each metric has its key, each class its KID, the holdout its baseline, and all stand in the protocol."""
    evaluation = make().evaluate(program).evaluation
    names = ["fid", "kid", "mind", "precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage"]
    assert list(evaluation.metrics) == [f"{each}40" for each in [*names, "authenticity", "copies", "pixel_copies"]]
    assert list(evaluation.per_class) == list(evaluation.variety) == ["a", "b", "c"]
    assert list(evaluation.baseline) == ["kid30", "copies30", "pixel_copies30"]
    protocol = evaluation.protocol
    assert (protocol.num_generated, protocol.num_reference) == (40, 40)
    assert (protocol.num_training, protocol.num_holdout) == (50, 30)
    assert (protocol.reference_split, protocol.resize, protocol.neighbours) == ("train", "torch", 5)
    assert (protocol.network, protocol.precision) == ("pixels", "fp32")
    assert (protocol.dataset_md5, protocol.seed) == ("abc", 1000)
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_seeds_and_labels_of_what_is_drawn(make: Make) -> None:
    """Consecutive seeds from the configuration's, and the classes of the reference images."""
    seen: list[Tensor] = []

    def watched(rows: Tensor) -> Tensor:
        seen.append(rows)
        return program(rows)

    evaluator = make()
    evaluator.evaluate(watched)
    seeds, labels = torch.cat(seen[1:]).T.tolist()  # the first image shows how large they are
    assert seeds == list(range(1000, 1040))
    assert labels == np.asarray(evaluator.real.splits["train"].labels)[evaluator.rows].tolist()


def test_the_real_side_is_computed_once(make: Make, extraction: Counting) -> None:
    """50 training and 30 held out images are passed once, the generated every time; all of it is told beforehand."""
    first = make()
    assert first.images_to_pass == 120
    told: list[tuple[int, str]] = []
    first.on_progress = lambda done, what: told.append((done, what))
    result = first.evaluate(program).evaluation
    assert extraction.passed == 120
    assert max(told) == (120, "generated images")
    again = make()
    assert again.images_to_pass == 40
    assert again.evaluate(program).evaluation == result
    assert extraction.passed == 160


@pytest.mark.parametrize("changes", [{"seed": 7}, {"copy_images": 60}])
def test_another_protocol_needs_other_features(make: Make, changes: dict[str, int]) -> None:
    make().evaluate(program)
    assert make(**changes).images_to_pass > (changes.get("num_images", 40))


def test_another_version_or_network_needs_other_features(make: Make, real: RealImages) -> None:
    make().evaluate(program)
    assert make(data=RealImages("def", real.splits, real.class_names)).images_to_pass == 120
    assert make(with_network=Counting(sha256="1" * 64)).images_to_pass == 120


def test_another_network_makes_no_fid(make: Make) -> None:
    evaluation = make(with_network=Counting("dinov2", "1" * 64)).evaluate(program).evaluation
    assert list(evaluation.metrics)[:3] == ["fd_dinov2_40", "kd_dinov2_40", "sw_dinov2_40"]
    assert not any(key.startswith(("fid", "kid", "mind")) for key in [*evaluation.metrics, *evaluation.baseline])
    assert "go by the kernel distance" in evaluation.warnings[0]


def test_copies_of_training_images_are_found(make: Make, real: RealImages) -> None:
    """A generator that has learned ten images by heart; the warning says so and the pairs show them."""

    def thief(rows: Tensor) -> Tensor:
        images = program(rows)
        for at, seed in enumerate(rows[:, 0].tolist()):
            if seed % 4 == 0:
                images[at] = torch.from_numpy(np.asarray(real.splits["train"].images[seed % 50]))
        return images

    done = make(copy_images=60).evaluate(thief)
    assert done.evaluation.metrics["copies40"].value == pytest.approx(0.25, abs=0.03)
    assert any("look at the pairs" in warning for warning in done.evaluation.warnings)
    assert not any("look at the pairs" in warning for warning in make().evaluate(program).evaluation.warnings)
    pairs = done.pictures.feature_copies[:10]
    assert all(np.array_equal(pair.generated, pair.training) for pair in pairs)
    assert {int(pair.label.split()[-1]) % 4 for pair in pairs} == {0}


def test_pictures_that_cannot_be_made_cost_no_score(make: Make) -> None:
    """A generator of another size is scored, and the record says what is missing."""

    def large(rows: Tensor) -> Tensor:
        return program(rows).repeat(1, 2, 2, 1)

    done = make().evaluate(large)
    assert not done.pictures.strips
    assert not done.pictures.neighbours
    assert "coverage40" in done.evaluation.metrics
    assert any(warning.startswith("pictures are left out (") for warning in done.evaluation.warnings)


def test_pictures(make: Make) -> None:
    """A strip for each class with images of that class, and neighbours that are the nearest."""
    evaluator = make()
    pictures = evaluator.evaluate(program).pictures
    train = evaluator.real.splits["train"]
    assert [strip.name for strip in pictures.strips] == ["a", "b", "c"]
    for label, strip in enumerate(pictures.strips):
        mine = train.images[train.labels == label].reshape(-1, 16).tolist()
        assert all(image in mine for image in strip.real.reshape(-1, 16).tolist())
        assert 1 <= len(strip.generated) <= 14
    first = pictures.neighbours[0]
    assert first.label.endswith("seed 1000")
    np.testing.assert_array_equal(first.generated, noise(1, 1000)[0])
    distances = np.linalg.norm((train.images.astype(float) - first.generated).reshape(60, -1), axis=1)
    np.testing.assert_array_equal(first.in_pixels, train.images[distances.argmin()])
    assert first.pixel_distance == pytest.approx(distances.min() / 255 / 4, rel=1e-5)


def test_against_the_holdout(make: Make) -> None:
    """The holdout may be the reference; it is no baseline for itself then."""
    evaluation = make(reference_split="test").evaluate(program).evaluation
    assert (evaluation.protocol.reference_split, evaluation.protocol.num_reference) == ("test", 30)
    assert list(evaluation.baseline) == ["copies30", "pixel_copies30"]


def test_enough_held_out_images_decide(make: Make, real: RealImages) -> None:
    """Their score stands beside the usual one, and what it is made of goes to the gate."""
    held = Resident(noise(200, 1), np.arange(200, dtype=np.int64) % 3)
    data = RealImages("x", {"train": real.splits["train"], "test": held}, real.class_names)
    done = make(data=data, num_images=220).evaluate(program)
    assert {"kid220", "holdout_kid220", "gap_fid220"} <= set(done.evaluation.metrics)
    assert deciding_key(done.evaluation) == "holdout_kid220"
    assert done.influences.num_reference == 200
    assert not any("trained on" in warning for warning in done.evaluation.warnings)
    assert done.influences.value == pytest.approx(done.evaluation.metrics["holdout_kid220"].value, rel=1e-6)
    few = make(data=real, num_images=40).evaluate(program)
    assert deciding_key(few.evaluation) == "kid40"
    assert few.influences.value == pytest.approx(few.evaluation.metrics["kid40"].value, rel=1e-6)
    assert any("trained on: 30 images are held out, and 40 are needed" in each for each in few.evaluation.warnings)


def test_images_without_splits(make: Make, real: RealImages) -> None:
    """Nothing is held out, so copies are told by what the images do among themselves."""
    alone = RealImages("x", {"all": real.splits["train"]}, real.class_names)
    done = make(data=alone).evaluate(program)
    assert done.evaluation.protocol.reference_split == "all"
    assert "authenticity40" in done.evaluation.metrics
    assert {"copies40", "pixel_copies40", "nearer40", "pixel_nearer40"} <= set(done.evaluation.metrics)
    assert {each.note for each in done.evaluation.baseline.values()} == {"training images among themselves"}
    told = "0 images are held out, and 20 are needed for a better control"
    assert any(told in each for each in done.evaluation.warnings)
    assert done.pictures.feature_copies


def test_a_small_holdout_is_said(make: Make, real: RealImages) -> None:
    few = Resident(noise(5, 1), np.zeros(5, dtype=np.int64))
    done = make(data=RealImages("x", {"train": real.splits["train"], "test": few}, real.class_names)).evaluate(program)
    told = "copies are told by training images among themselves: 5 images are held out, and 20 are needed"
    assert any(each.startswith(told) for each in done.evaluation.warnings)
    assert set(done.evaluation.baseline) == {"kid5", "copies50", "nearer50", "pixel_copies50", "pixel_nearer50"}


def test_wrong_input(make: Make, real: RealImages) -> None:
    few = RealImages("x", {"train": Resident(noise(3, 0), np.zeros(3, dtype=np.int64))}, real.class_names)
    with pytest.raises(InputError, match="scores need at least 4 images on each side, but there are 40 and 3: take"):
        make(data=few)
    with pytest.raises(ConfigError, match=r"evaluation\.reference_split is test but the data has train alone"):
        make(data=few, reference_split="test")


def test_no_half_file_stays(make: Make, tmp_path: Path) -> None:
    """A cache entry that was cut short is made anew, and nothing else is left there."""
    make().evaluate(program)
    folder = tmp_path / "features" / "abc"
    entries = sorted(path.name for path in folder.iterdir())
    assert len(entries) == 2
    assert not any(name.startswith(".") for name in entries)
    broken = folder / entries[0] / "features.npy"
    broken.write_bytes(broken.read_bytes()[:-8])
    assert make().images_to_pass > 40
    make().evaluate(program)
    assert make().images_to_pass == 40
    assert sorted(path.name for path in folder.iterdir()) == entries


@pytest.mark.parametrize(("asked", "found"), [(None, 40), (20, 20), (55, 55), (99, 60), ("all", 60)])
def test_how_many_images_are_compared_with(make: Make, extraction: Counting, asked: Any, found: int) -> None:
    """As many as are asked for, if the split has them; each passes the network once, those of copies among them."""
    evaluator = make(reference_images=asked)
    assert evaluator.images_to_pass == 40 + max(found, 50) + 30
    protocol = evaluator.evaluate(program).evaluation.protocol
    assert (protocol.num_generated, protocol.num_reference, protocol.num_holdout) == (40, found, 30)
    assert extraction.passed == 40 + max(found, 50) + 30
