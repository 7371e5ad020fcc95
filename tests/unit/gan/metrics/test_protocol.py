"""Protocols that differ anywhere are not compared."""

from typing import Any

import pytest
from pydantic import ValidationError

from gan.errors import ProtocolMismatchError
from gan.metrics.protocol import METRICS_VERSION, Protocol, require_equal

FIELDS: dict[str, Any] = {
    "num_generated": 10_000,
    "num_reference": 1437,
    "reference_split": "train",
    "resize": "tf1",
    "network": "inception-v3-2015-12-05",
    "network_sha256": "7ff4",
    "precision": "fp32",
    "dataset_md5": "abc",
    "seed": 0,
    "neighbours": 5,
    "num_training": 1000,
    "num_holdout": 362,
    "code_version": METRICS_VERSION,
}
OTHERS: dict[str, Any] = {
    "num_generated": 5000,
    "num_reference": 360,
    "reference_split": "test",
    "resize": "clean",
    "network": "other",
    "network_sha256": "0000",
    "precision": "bf16",
    "dataset_md5": "def",
    "seed": 1,
    "neighbours": 3,
    "num_training": 1435,
    "num_holdout": 0,
    "code_version": METRICS_VERSION + 1,
}


def test_equal_protocols_pass() -> None:
    """Equal in every field, the version of the code filled in."""
    require_equal(Protocol(**FIELDS), Protocol(**{k: v for k, v in FIELDS.items() if k != "code_version"}))
    assert set(FIELDS) == set(OTHERS) == set(Protocol.model_fields)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_counts(field: str) -> None:
    """A difference in one field is named with both values, and no other field is."""
    other = Protocol(**FIELDS | {field: OTHERS[field]})
    with pytest.raises(ProtocolMismatchError) as caught:
        require_equal(Protocol(**FIELDS), other)
    message = str(caught.value)
    assert f"({field} {FIELDS[field]} and {OTHERS[field]})" in message


def test_all_differences_in_one_sentence() -> None:
    """Every field that differs is named."""
    with pytest.raises(ProtocolMismatchError) as caught:
        require_equal(Protocol(**FIELDS), Protocol(**OTHERS))
    assert all(f"{field} {FIELDS[field]} and {OTHERS[field]}" in str(caught.value) for field in FIELDS)


def test_frozen_and_closed() -> None:
    """No field can be changed, and none can be added."""
    protocol = Protocol(**FIELDS)
    with pytest.raises(ValidationError):
        protocol.seed = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Protocol(**FIELDS, host="here")
