"""Two sets of images against each other, with a network whose features are pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan.configuration.config import EvaluationConfig
from gan.data.image_sets.image_set import ImageSet
from gan.errors import InputError
from gan.evaluation.comparison import Comparison, require_sizes

from .conftest import Counting, noise

Compare = Callable[..., Comparison]


def image_set(name: str, images: np.ndarray, classes: int = 0) -> ImageSet:
    labels = np.arange(len(images), dtype=np.int64) % classes if classes else np.full(len(images), -1, dtype=np.int64)
    return ImageSet(name, f"digest of {name}", f"sequence of {name}", images, labels, tuple("abc"[:classes]))


@pytest.fixture
def compare(extraction: Counting, tmp_path: Path) -> Compare:
    def make(a: ImageSet, b: ImageSet, **changes: Any) -> Comparison:
        facts = {"config": EvaluationConfig(), "extraction": extraction, "cache_dir": tmp_path}
        return Comparison(a, b, **facts | changes)

    return make


def test_a_set_against_itself(compare: Compare) -> None:
    """No distance, all of it within itself, every image its own copy, and the page says why."""
    a = image_set("a", noise(50, 0), classes=2)
    evaluation = compare(a, a).run().evaluation
    assert evaluation.metrics["fid50"].value == pytest.approx(0.0, abs=1e-6)
    assert evaluation.metrics["precision50"].value == evaluation.metrics["recall50"].value == 1.0
    assert evaluation.metrics["authenticity50"].value == 0.0
    assert list(evaluation.per_class) == ["a", "b"]
    assert "the two sets hold the same images" in evaluation.warnings


def test_the_protocol_names_the_reference(compare: Compare) -> None:
    a, b = image_set("a", noise(40, 0)), image_set("b", noise(50, 1))
    protocol = compare(a, b, split="test").run().evaluation.protocol
    assert (protocol.num_generated, protocol.num_reference, protocol.num_holdout) == (40, 50, 0)
    assert (protocol.dataset_md5, protocol.reference_split) == ("digest of b", "test")


def test_a_set_is_passed_once_whichever_side_it_is_on(compare: Compare, extraction: Counting) -> None:
    a, b = image_set("a", noise(40, 0)), image_set("b", noise(50, 1))
    first = compare(a, b)
    assert first.images_to_pass == 90
    told: list[tuple[int, str]] = []
    first.on_progress = lambda done, what: told.append((done, what))
    there = first.run().evaluation
    assert (90, "b") in told
    back = compare(b, a)
    assert back.images_to_pass == 0
    swapped = back.run().evaluation
    assert extraction.passed == 90
    assert swapped.metrics["fid50"].value == pytest.approx(there.metrics["fid40"].value, rel=1e-9)
    assert swapped.metrics["precision50"].value == pytest.approx(there.metrics["recall40"].value)


def test_n_takes_a_choice_of_each(compare: Compare) -> None:
    comparison = compare(image_set("a", noise(40, 0)), image_set("b", noise(50, 1)), n=30)
    assert comparison.images_to_pass == 60
    protocol = comparison.run().evaluation.protocol
    assert (protocol.num_generated, protocol.num_reference) == (30, 30)


def test_a_holdout_counts_copies(compare: Compare) -> None:
    b = noise(60, 1)
    a = noise(50, 0)
    a[:10] = b[:10]
    done = compare(image_set("a", a), image_set("b", b), holdout=image_set("c", noise(40, 2))).run()
    assert done.evaluation.protocol.num_holdout == 40
    assert done.evaluation.metrics["copies50"].value == pytest.approx(0.2, abs=0.03)
    assert done.evaluation.metrics["pixel_copies50"].value == pytest.approx(0.2, abs=0.03)
    first = {pair.label for pair in done.pictures.pixel_copies[:10]}
    assert first == {f"image {index}" for index in range(10)}


def test_a_holdout_tells_what_was_learnt_by_heart(compare: Compare) -> None:
    """Of what is not trained by us, only the gap is known beside the usual scores."""
    b, c = image_set("b", noise(60, 1)), image_set("c", noise(60, 2))
    honest = compare(image_set("a", noise(50, 0)), b, holdout=c).run().evaluation
    thief = compare(image_set("d", b.images[:50]), b, holdout=c).run().evaluation
    assert thief.metrics["gap_fid50"].high < 0.0 < honest.metrics["gap_fid50"].high
    assert any("nearer to training images" in each for each in thief.warnings)
    assert not any("learnt by heart" in each for each in honest.warnings)
    assert not any(key.startswith("holdout_") for key in honest.metrics)


def test_other_classes_or_sizes(compare: Compare) -> None:
    """Classes of two names are not compared with each other, nor pixels of two sizes."""
    a, b = image_set("a", noise(40, 0), classes=2), image_set("b", noise(50, 1), classes=3)
    assert compare(a, b).run().evaluation.per_class == {}
    large = image_set("large", noise(40, 0).repeat(2, axis=1).repeat(2, axis=2))
    evaluation = compare(large, image_set("b", noise(50, 1))).run().evaluation
    assert any("pixels are not compared: there are images of 4x4x1 and 8x8x1" in each for each in evaluation.warnings)


def test_wrong_numbers() -> None:
    a, b = image_set("a", noise(40, 0)), image_set("b", noise(3, 1))
    with pytest.raises(InputError, match="b has 3 images but 10 were asked for: lower --n"):
        require_sizes(a, b, 10)
    with pytest.raises(InputError, match="scores need at least 4 images on each side, but there are 40 and 3: take"):
        require_sizes(a, b, None)
