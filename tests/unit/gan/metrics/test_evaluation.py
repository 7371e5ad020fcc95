"""The record evaluation.json and the decision that is taken from two of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan.errors import InputError, ProtocolMismatchError
from gan.metrics import evaluation
from gan.metrics.evaluation import Evaluation, Metric, decide, evaluate_features, metric_key
from gan.metrics.frechet import fid
from gan.metrics.kid import kid
from gan.metrics.protocol import Protocol


def protocol(generated: int = 10_000, reference: int = 10_000, **others: Any) -> Protocol:
    """A protocol with these numbers of images."""
    fields: dict[str, Any] = {"reference_split": "train", "resize": "tf1", "network": "n", "network_sha256": "s"}
    fields |= {"precision": "fp32", "dataset_md5": "d", "seed": 0, "num_generated": generated}
    return Protocol(**fields | {"num_reference": reference} | others)


def scored(fid_value: float, kid_value: float, under: Protocol) -> Evaluation:
    """An evaluation with these two scores."""
    count = under.num_generated
    scores = {metric_key("fid", count): Metric(value=fid_value), metric_key("kid", count): Metric(value=kid_value)}
    return Evaluation(protocol=under, metrics=scores)


@pytest.mark.parametrize(
    ("count", "key"), [(10_000, "fid10k"), (1437, "fid1437"), (1000, "fid1k"), (10_500, "fid10500"), (999, "fid999")]
)
def test_metric_key(count: int, key: str) -> None:
    """Whole thousands are written as k."""
    assert metric_key("fid", count) == key


def test_evaluate_features() -> None:
    """FID without an interval, KID with 1.96 standard errors to each side, and a warning with few images."""
    rng = np.random.default_rng(0)
    generated = rng.random((40, 6)).astype(np.float32)
    reference = rng.random((30, 6)).astype(np.float32)
    found = evaluate_features(generated, reference, protocol(40, 30))
    assert found.metrics["fid40"] == Metric(value=fid(generated, reference))
    wanted = kid(generated, reference)
    score = found.metrics["kid40"]
    assert score.value == wanted.mean
    assert score.low == pytest.approx(wanted.mean - 1.96 * wanted.standard_error)
    assert score.high == pytest.approx(wanted.mean + 1.96 * wanted.standard_error)
    assert "interval from 100 subsets of 15 images" in score.note
    assert len(found.warnings) == 1
    assert "KID decides" in found.warnings[0]


def test_no_warning_with_enough_images() -> None:
    """From 2,048 images on each side FID needs no warning."""
    rng = np.random.default_rng(0)
    found = evaluate_features(rng.random((2048, 3)), rng.random((2048, 3)), protocol(2048, 2048))
    assert found.warnings == []
    assert found.metrics["kid2048"].note == "mean over 100 subsets of 1000 images"


def test_counts_must_be_the_protocols() -> None:
    """Features of other numbers of images than the protocol says are a mistake; three images are too few."""
    with pytest.raises(ValueError, match="40 and 30"):
        evaluate_features(np.zeros((30, 3)), np.zeros((40, 3)), protocol(40, 30))
    with pytest.raises(InputError, match=r"at least 4 images.*evaluation\.num_images"):
        evaluate_features(np.zeros((3, 3)), np.zeros((40, 3)), protocol(3, 40))


def test_json_round_trip(tmp_path: Path) -> None:
    """What is written is read back equal, replaces what was there and leaves no temporary file."""
    path = tmp_path / "run" / "evaluation.json"
    record = scored(12.5, -0.001, protocol())
    scored(99.0, 1.0, protocol()).to_json(path)
    record.to_json(path)
    assert Evaluation.from_json(path) == record
    assert [entry.name for entry in path.parent.iterdir()] == ["evaluation.json"]
    assert json.loads(path.read_text())["metrics"]["fid10k"] == {"value": 12.5, "low": None, "high": None, "note": ""}


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails before the rename leaves the old record and nothing else."""
    path = tmp_path / "evaluation.json"
    scored(1.0, 0.1, protocol()).to_json(path)
    before = path.read_bytes()

    def refuse(*_args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(evaluation.os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        scored(2.0, 0.2, protocol()).to_json(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["evaluation.json"]


@pytest.mark.parametrize("change", [{"format_version": 2}, {"host": "here"}, {"metrics": {"fid10k": {"value": None}}}])
def test_other_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """A later format, an unknown field or a missing score is refused with a sentence that names the place."""
    path = tmp_path / "evaluation.json"
    record = json.loads(scored(1.0, 0.1, protocol()).model_dump_json()) | change
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=f"no evaluation that this version reads.*{next(iter(change))}"):
        Evaluation.from_json(path)
    with pytest.raises(InputError, match="cannot be read"):
        Evaluation.from_json(tmp_path / "absent.json")


def test_first_candidate_is_promoted() -> None:
    """Without a champion there is nothing to beat."""
    decision = decide(scored(50.0, 0.5, protocol()), None)
    assert decision.promote
    assert decision.metric == "fid10k"
    assert "no champion yet" in decision.reason


@pytest.mark.parametrize(
    ("generated", "reference", "metric", "promote"),
    [(10_000, 10_000, "fid10k", True), (10_000, 1437, "kid10k", False), (2000, 10_000, "kid2k", False)],
)
def test_few_images_are_decided_by_kid(generated: int, reference: int, metric: str, promote: bool) -> None:
    """The candidate has the better FID and the worse KID; below 2,048 images on a side KID counts."""
    under = protocol(generated, reference)
    decision = decide(scored(10.0, 0.3, under), scored(20.0, 0.2, under))
    assert (decision.metric, decision.promote) == (metric, promote)
    both = ("10", "20") if promote else ("0.3", "0.2")
    assert all(number in decision.reason for number in both)


def test_a_tie_keeps_the_champion() -> None:
    """Only a lower score is promoted."""
    assert not decide(scored(10.0, 0.1, protocol()), scored(10.0, 0.2, protocol())).promote


def test_other_protocols_are_refused() -> None:
    """A champion's score of another dataset is not compared."""
    with pytest.raises(ProtocolMismatchError, match="dataset_md5 d and e"):
        decide(scored(1.0, 0.1, protocol()), scored(2.0, 0.2, protocol(dataset_md5="e")))


def test_missing_metric_is_named() -> None:
    """An evaluation without the deciding score says which one is missing."""
    record = Evaluation(protocol=protocol(), metrics={"kid10k": Metric(value=0.1)})
    with pytest.raises(InputError, match="no fid10k"):
        decide(record, None)
