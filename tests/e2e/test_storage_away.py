"""An object store that is away for a minute while a training writes checkpoints to it."""

import os
import time

import pytest
from drilling.commands import Command, until
from drilling.ledger import Ledger
from drilling.store import Store

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
AWAY_SECONDS = float(os.environ.get("GANFLOW_DRILL_AWAY", "60"))
IMAGES = 32000
WORDS = (
    "--preset",
    "debug",
    "--set",
    f"train.total_kimg={IMAGES / 1000}",
    "--set",
    "train.checkpoint_kimg=2",
    "--json",
)


@pytest.fixture
def store(tmp_path):
    pytest.importorskip("moto.server")
    store = Store(tmp_path)
    yield store
    store.remove()


@pytest.mark.parametrize("how", ["refuses", "silent"])
def test_a_storage_that_is_away_for_a_minute_ends_no_training(home, store, tmp_path, how):
    ledger = Ledger(tmp_path / "ledger")
    environment = home.environment | store.settings | ledger.environment
    training = Command(tmp_path, "train", *WORDS, environment=environment)
    try:
        until(lambda: store.holds("sha256.json") >= 2, training)
        assert not training.ended, training.said()
        seen = ledger.steps()
        store.go(how)
        time.sleep(AWAY_SECONDS)
        store.come_back(how)
        assert not training.ended, training.said()
        result = training.result()
    finally:
        training.end()
    figures = ledger.require_each_image_once(IMAGES)
    print(f"\n{how}: after {seen} steps, {figures}\n{training.said()}")  # noqa: T201
    assert result["end_nimg"] == IMAGES
    assert figures["count"] == IMAGES // 32
    assert store.holds("sha256.json") >= 2
