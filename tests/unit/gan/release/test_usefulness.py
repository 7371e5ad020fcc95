"""Which images of a release its CAS is measured on; that it is, and what follows, is in the tests of judging."""

import numpy as np
import pytest

from gan.evaluation import extraction
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.release import usefulness
from gan.release.usefulness import registered_cas, rows_for_cas, unmeasured

PROTOCOL = Protocol(
    num_generated=100, num_reference=100, reference_split="train", resize="tf1", network="n", network_sha256="s",
    precision="fp32", dataset_md5="0" * 32, seed=0,
)  # fmt: skip


@pytest.mark.parametrize(("key", "found"), [("cas100", "cas100"), ("cas10k", "cas10k"), ("cas_gap100", None)])
def test_the_models_cas_is_found_by_its_key(key, found):
    metrics = {"kid100": Metric(value=0.1), "cas_real100": Metric(value=0.9), key: Metric(value=0.8)}
    assert registered_cas(Evaluation(protocol=PROTOCOL, metrics=metrics)) == found


def test_as_many_images_in_the_real_shares_or_none(monkeypatch):
    registered, like = Evaluation(protocol=PROTOCOL, metrics={}), np.repeat([0, 1], [1, 3])
    rows = rows_for_cas(np.repeat([0, 1], [200, 75]), like, registered, 64)
    assert (rows < 200).sum() == 25
    assert len(rows) == 100
    assert rows_for_cas(np.repeat([0, 1], [200, 60]), like, registered, 64) is None
    assert rows_for_cas(np.zeros(500, np.int64), like, registered, 64) is None
    assert usefulness.KEPT_BYTES == extraction.KEPT_BYTES
    monkeypatch.setattr(usefulness, "KEPT_BYTES", 40 * 64)  # an evaluation keeps no more either
    assert len(rows_for_cas(np.repeat([0, 1], [200, 75]), like, registered, 64)) == 40


def test_what_is_not_measured_stands_against_nothing():
    check = unmeasured("why")
    assert (check.check, check.passed) == ("usefulness", True)
    assert check.said.endswith("is not measured: why")
