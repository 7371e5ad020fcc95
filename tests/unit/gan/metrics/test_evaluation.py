"""The record evaluation.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from gan.errors import InputError
from gan.metrics import evaluation
from gan.metrics.evaluation import Evaluation, Metric, deciding_key, metric_key


@pytest.mark.parametrize(
    ("count", "key"), [(10_000, "fid10k"), (1437, "fid1437"), (1000, "fid1k"), (10_500, "fid10500"), (999, "fid999")]
)
def test_metric_key(count: int, key: str) -> None:
    """Whole thousands are written as k."""
    assert metric_key("fid", count) == key


@pytest.mark.parametrize(
    ("generated", "reference", "held_out", "there", "key"),
    [
        (10_000, 10_000, 2048, ["holdout_fid10k"], "holdout_fid10k"),
        (10_000, 10_000, 2047, ["holdout_kid10k"], "holdout_kid10k"),
        (1000, 1000, 362, ["holdout_kid1k"], "holdout_kid1k"),
        (10_000, 10_000, 2048, [], "fid10k"),  # records of before
        (10_000, 2047, 20, [], "kid10k"),
        (10_000, 10_000, 2047, ["holdout_fid10k"], "fid10k"),  # a key that its protocol cannot have
    ],
)
def test_the_key_that_decides(generated, reference, held_out, there, key, protocol) -> None:
    """Against the holdout where that was scored; FID where there are 2,048 images on both sides."""
    under = protocol(generated, reference).model_copy(update={"num_holdout": held_out})
    metrics = {name: Metric(value=0.1) for name in [metric_key("fid", generated), metric_key("kid", generated), *there]}
    assert deciding_key(Evaluation(protocol=under, metrics=metrics)) == key


def test_a_record_of_the_first_format_is_read(tmp_path: Path, scored, protocol) -> None:
    """Versions that were registered before the record knew classes and a baseline can still be released."""
    record = json.loads(scored(1.0, 0.1, protocol()).model_dump_json())
    for key in ("per_class", "variety", "baseline"):
        del record[key]
    for key in ("neighbours", "num_training", "num_holdout"):
        del record["protocol"][key]
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(record | {"format_version": 1}))
    found = Evaluation.from_json(path)
    assert found.values == {"fid10k": 1.0, "kid10k": 0.1, "copies10k": 0.0}
    assert (found.per_class, found.variety, found.baseline, found.protocol.num_training) == ({}, {}, {}, 0)


def test_json_round_trip(tmp_path: Path, scored, protocol) -> None:
    """What is written is read back equal, replaces what was there and leaves no temporary file."""
    path = tmp_path / "run" / "evaluation.json"
    record = scored(12.5, -0.001, protocol())
    scored(99.0, 1.0, protocol()).to_json(path)
    record.to_json(path)
    assert Evaluation.from_json(path) == record
    assert [entry.name for entry in path.parent.iterdir()] == ["evaluation.json"]
    assert json.loads(path.read_text())["metrics"]["fid10k"] == {"value": 12.5, "low": None, "high": None, "note": ""}


def test_failed_write_keeps_the_old_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scored,
    protocol,
) -> None:
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


@pytest.mark.parametrize("change", [{"format_version": 4}, {"host": "here"}, {"metrics": {"fid10k": {"value": None}}}])
def test_other_files_are_refused(tmp_path: Path, change: dict[str, Any], scored, protocol) -> None:
    """A later format, an unknown field or a missing score is refused with a sentence that names the place."""
    path = tmp_path / "evaluation.json"
    record = json.loads(scored(1.0, 0.1, protocol()).model_dump_json()) | change
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=f"no evaluation that this version reads.*{next(iter(change))}"):
        Evaluation.from_json(path)
    with pytest.raises(InputError, match="cannot be read"):
        Evaluation.from_json(tmp_path / "absent.json")
