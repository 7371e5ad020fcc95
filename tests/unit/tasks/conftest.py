"""An evaluation as reports, cards and releases are given it."""

import pytest

from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol


@pytest.fixture(scope="session")
def evaluation():
    protocol = Protocol(
        num_generated=1000,
        num_reference=900,
        reference_split="test",
        resize="tf1",
        network="inception",
        network_sha256="s",
        precision="bf16",
        dataset_md5="abc123",
        seed=0,
    )
    metrics = {"fid1k": Metric(value=31.23456), "kid1k": Metric(value=0.0123, low=-0.0101, high=0.0145)}
    return Evaluation(protocol=protocol, metrics=metrics, warnings=["few images: KID decides"])
